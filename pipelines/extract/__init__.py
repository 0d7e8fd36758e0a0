"""From the operational database to the raw change log.

Belongs here: contracts, the watermark, the snapshot, chunks, reconciliation, the log and its manifest.
Does not: scheduling (orchestration), meaning of the data (dbt). Imports neither Dagster nor Django.
"""
