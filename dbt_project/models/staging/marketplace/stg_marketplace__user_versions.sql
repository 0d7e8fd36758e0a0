{{ row_versions('accounts_user', {'country': 'country', 'time_zone': 'time_zone', 'date_joined': 'joined_at'}) }}
