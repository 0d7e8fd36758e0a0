"""Source contracts and freshness, checked by dbt inside the operational database before anything is extracted.

dbt-mysql pins a dbt of its own, which lies apart (var/tools/dbt-mysql, or OPENLANCE_DBT_MYSQL_HOME) and runs as a process without the
environment's packages. It reads: nothing is created or written in the operational database.
"""

from .checks import Failed, NotInstalled, Report, check, missing

__all__ = ["Failed", "NotInstalled", "Report", "check", "missing"]
