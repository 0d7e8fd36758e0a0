{{ row_versions('trust_review', {'contract_id': 'contract_id', 'subject_id': 'subject_id', 'author_side': 'author_side', 'rating': 'rating', 'opened_at': 'opened_at'}) }}
