{#- Proposals received, withdrawn ones included: they were competition when they came. -#}
{{ changes(ref('stg_marketplace__proposal_versions'), 'job_id', 'submitted_at', 'submitted_at is not null', {'proposals': '1'}) }}
