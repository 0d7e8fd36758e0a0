{{ row_versions('accounts_freelancerprofile', {
    'user_id': 'user_id', 'experience_level': 'experience_level', 'availability': 'availability', 'hourly_rate_minor': 'hourly_rate_minor',
    'currency': 'currency', 'category_id': 'category_id', 'created_at': 'created_at'
}) }}
