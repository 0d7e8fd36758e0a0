"""The API's document: made without a warning, complete, and the same as the committed one."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS

from tests.webapp.people import Person
from tests.webapp.test_permission_matrix import operations

COMMITTED = Path(__file__).resolve().parents[2] / "webapp" / "openapi.yaml"


@pytest.fixture(scope="module")
def made() -> str:
    GENERATOR_STATS.reset()
    out = io.StringIO()
    call_command("spectacular", stdout=out, validate=True)
    return out.getvalue()


@pytest.fixture(scope="module")
def document(made: str) -> Any:
    return yaml.safe_load(made)


def test_nothing_had_to_be_guessed(made: str) -> None:
    assert not GENERATOR_STATS, (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache))


def test_the_committed_document_is_the_one_the_code_makes(made: str) -> None:
    assert made.strip() == COMMITTED.read_text().strip(), "run: manage.py spectacular --file webapp/openapi.yaml"


def test_every_route_is_described_with_its_refusals(document: Any) -> None:
    described = {(m.upper(), re.sub(r"{\w+}", "…", path)) for path, methods in document["paths"].items() for m in methods}
    assert described == {(m, "/api/v1/" + re.sub(r"<\w+:\w+>", "…", path)) for m, path in operations() if path != "schema"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["operationId"], (path, method)
            if method == "post" and "webhooks" not in path:
                names = {p["name"] for p in operation["parameters"]}
                assert "Idempotency-Key" in names, path
                assert "409" in operation["responses"], path


def test_operation_ids_are_unique(document: Any) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_the_document_and_its_pages_are_served_to_everybody(db: None) -> None:
    assert Person().get("schema").status_code == 200
    assert "swagger" in Person().get("/api/docs").content.decode().lower()
