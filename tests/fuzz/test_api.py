"""Every operation of the API document under generated input, by every role, on the real database.

No answer may be a server's fault, have a status the document does not name, or a body that differs from its schema. Half of the cases
carry ids that exist. OPENLANCE_FUZZ_CASES is the number of cases (`make fuzz`: 20,000), OPENLANCE_FUZZ_SEED where they start.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.webapp.matrix.table import GROUPS

CASES = int(os.environ.get("OPENLANCE_FUZZ_CASES", "2400"))
SEED = int(os.environ.get("OPENLANCE_FUZZ_SEED", "7"))
SHARDS = 8
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def operations() -> list[Any]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = get_wsgi_application()
    return [found.ok() for found in schema.get_all_operations()]


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """A server closes its connection after a request; here all requests share the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def tokens(alice: Any, bob: Any, charlie: Any, staff: Any) -> list[dict[str, str]]:
    """The headers of everybody who may knock; of anonymous none."""
    headers: list[dict[str, str]] = [{}]
    for user in (charlie, alice, bob, *(staff(group) for group in GROUPS)):
        client = Client()
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        headers.append({"X-Session-Token": str(client.session.session_key)})
    return headers


def known(path: str, numbers: dict[str, int]) -> dict[str, int]:
    """Ids that exist, for the numbers in a path: by the noun before each."""
    return {name: numbers[noun] for noun, name in re.findall(r"([\w-]+)/\{(\w+)\}", path) if noun in numbers}


def run(operation: Any, numbers: dict[str, int], tokens: list[dict[str, str]], cases: int, counted: Counter[str]) -> list[str]:
    """Try an operation about `cases` times; says what went wrong, at most once."""
    strategies = [
        operation.as_strategy(generation_mode=mode, path_parameters=fixed or None)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for fixed in {str(f): f for f in ({}, known(operation.path, numbers))}.values()
        if mode is GenerationMode.POSITIVE or takes_input(operation)
    ]

    @seed(SEED + zlib.crc32(operation.label.encode()))
    @hypothesis_settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=st.one_of(strategies), who=st.integers(0, len(tokens) - 1))
    def one(case: Any, who: int) -> None:
        outermost = transaction.atomic()
        outermost._from_testcase = True  # type: ignore[attr-defined]  # as Django marks its own: what must begin anew may begin inside
        with outermost:
            try:
                counted["cases"] += 1
                answer = case.call(headers=tokens[who])
            finally:
                transaction.set_rollback(True)
        counted[f"{answer.status_code // 100}xx"] += 1
        case.validate_response(answer, checks=CHECKS)

    try:
        one()
    except Exception as e:
        return [f"{operation.label}: {str(e)[:1500]}"]
    return []


def put_down(shard: int, counted: Counter[str]) -> None:
    """Leave the counts where `make fuzz` adds them up."""
    folder = Path(os.environ.get("OPENLANCE_VAR", "var/test/work")) / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{shard}.json").write_text(json.dumps(counted))


def takes_input(operation: Any) -> bool:
    """Whether there is anything to get wrong."""
    return bool(list(operation.iter_parameters()) or operation.body)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_answer_leaves_the_document(
    shard: int,
    operations: list[Any],
    house: dict[str, int],
    tokens: list[dict[str, str]],
) -> None:
    each = max(4, -(-CASES // len(operations)))
    found: list[str] = []
    counted: Counter[str] = Counter()
    for operation in operations[shard::SHARDS]:
        found += run(operation, house, tokens, each, counted)
    put_down(shard, counted)
    assert not found, "\n\n".join(found)
