"""Gives each of several test processes a MariaDB of its own (`-p tests.own_server`), before anything reads where that is.

The extraction's low watermark sees every open transaction of a server, also those of another process's tests. The runner (infra/local/suites.py)
starts the servers and tells their variables in OPENLANCE_TEST_SERVERS, one after the other.
"""

from __future__ import annotations

import json
import os

import pytest

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker:
    _servers = json.loads(os.environ.get("OPENLANCE_TEST_SERVERS", "[]"))
    _number = int(_worker.removeprefix("gw"))
    if _number >= len(_servers):
        raise pytest.UsageError(f"{_worker} has no server of its own: OPENLANCE_TEST_SERVERS names {len(_servers)}")
    os.environ.update(_servers[_number])
