{{ row_versions('contracts_contract', {'freelancer_id': 'freelancer_id', 'state': 'state', 'ended_at': 'ended_at'}) }}
