"""What sqlfluff takes for dbt's `model`: each is linted as a build that takes changes sees it, which is its longer form."""


class config:
    materialized = "incremental"
