{{ row_versions('accounts_clientprofile', {'user_id': 'user_id', 'payment_verified': 'payment_verified', 'created_at': 'created_at'}) }}
