"""dbt, with a driver that verifies the server: dbt-mysql's profile has no word for it, and its driver by itself takes any certificate.

    python -S -P dbt_over_tls.py ARGUMENTS OF DBT

Runs among dbt-mysql's packages only, so it imports nothing of ours. OPENLANCE_DB_TLS_CA is an absolute path here (see `pipelines/tls.py`).
"""

from __future__ import annotations

import functools
import os
import sys

import mysql.connector
from dbt.cli.main import cli

if __name__ == "__main__":
    # in pure Python its TLS is the interpreter's own, on every machine
    verified = {"use_pure": True, "ssl_ca": os.environ["OPENLANCE_DB_TLS_CA"], "ssl_verify_cert": True, "ssl_verify_identity": True}
    mysql.connector.connect = functools.partial(mysql.connector.connect, **verified)
    sys.argv[0] = "dbt"
    cli()
