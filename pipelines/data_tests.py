"""dbt's data tests, asked without dbt: the queries that it compiled when it last ran them, one after another.

A data test is a query that must find nothing. To dbt each costs some fifty milliseconds around it, whatever the data, and there are
hundreds: more than all models of a small change. As long as the project is as it was, the compiled query is what dbt would ask; after a
change of it everything is built, and tested, by dbt. Results are told as dbt tells them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from . import paths

#: A test with other settings than these is left to dbt, and with it all of that build.
_PLAIN = {"severity": "error", "error_if": "!= 0", "warn_if": "!= 0", "fail_calc": "count(*)", "limit": None, "store_failures": None}
_WELL = {"success", "pass", "warn", "no-op"}
_MEMORY = "2500MB"


@dataclass(frozen=True)
class Test:
    """One data test: the query, and the nodes that it looks at."""

    unique_id: str
    name: str
    sql: str
    parents: frozenset[str]


def known(
    manifest: Mapping[str, Any], results: Mapping[str, dict[str, Any]], built: Collection[str], held: Collection[str]
) -> list[Test] | None:
    """The tests that touch a node named in `built` and none in `held`, as dbt would choose them; None when only dbt can ask them."""
    nodes, found = manifest["nodes"], []
    for unique_id, node in nodes.items():
        if node["resource_type"] != "test":
            continue
        parents = frozenset(node["depends_on"]["nodes"])
        names = {nodes[parent]["name"] for parent in parents if parent in nodes}
        if not names & set(built) or names & set(held):
            continue
        sql = results.get(unique_id, {}).get("compiled_code")
        config = node["config"] | {"severity": str(node["config"].get("severity")).lower()}
        plain = all(config.get(name) == value for name, value in _PLAIN.items())
        if not sql or not plain:
            return None
        found.append(Test(unique_id, node["name"], sql, parents))
    return sorted(found, key=lambda test: test.unique_id)


def run(tests: Collection[Test], status: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each test's result, in the words of dbt's run_results. A test of a node that this build failed to make is skipped (`status` by node)."""
    with duckdb.connect(str(paths.warehouse()), read_only=True) as work:
        work.execute("SET TimeZone = 'UTC'")
        work.execute(f"SET memory_limit = '{os.environ.get('OPENLANCE_DUCKDB_MEMORY', _MEMORY)}'")
        for test in tests:
            began = time.monotonic()
            if any(status.get(parent, "success") not in _WELL for parent in test.parents):
                yield _result(test, "skipped", None, "something that it looks at was not built", 0.0)
                continue
            try:
                [(failures,)] = work.execute(f"SELECT count(*) FROM ({test.sql}\n) AS found").fetchall()
            except duckdb.Error as error:
                yield _result(test, "error", None, str(error), time.monotonic() - began)
                continue
            told = f"Got {failures} result{'s' if failures != 1 else ''}, configured to fail if != 0" if failures else None
            yield _result(test, "fail" if failures else "pass", failures, told, time.monotonic() - began)


def _result(test: Test, status: str, failures: int | None, message: str | None, seconds: float) -> dict[str, Any]:
    about: dict[str, Any] = {"unique_id": test.unique_id, "status": status, "failures": failures, "message": message}
    return about | {
        "timing": [],
        "thread_id": "data_tests",
        "execution_time": seconds,
        "adapter_response": {},
        "compiled": True,
        "compiled_code": test.sql,
        "relation_name": None,
        "batch_results": None,
    }
