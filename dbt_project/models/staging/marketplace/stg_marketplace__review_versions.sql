{{ row_versions('trust_review', {'subject_id': 'subject_id', 'author_side': 'author_side', 'rating': 'rating', 'opened_at': 'opened_at'}) }}
