"""What sqlfluff takes for dbt's `target`: the models are linted as they are for DuckDB."""

name = "duckdb"
type = "duckdb"
