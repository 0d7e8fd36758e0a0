"""The platform's round, scheduled, checked and traced by Dagster. Nothing imports this package.

Definitions load with no secret and no network; dbt's project is parsed when its manifest is missing or old.
"""

from .definitions import defs

__all__ = ["defs"]
