"""The API's document: made without a warning, complete, and the same as the committed one."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator

from tests.webapp.people import Person
from tests.webapp.signing import program, sign_in
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


def bodies(document: Any) -> Iterator[tuple[str, Any]]:
    """Every JSON body in the document: whose it is (operation, and status if it is an answer), and its schema with its examples."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if body := operation.get("requestBody", {}).get("content", {}).get("application/json"):
                yield operation["operationId"], body
            for status, answer in operation["responses"].items():
                if body := answer.get("content", {}).get("application/json"):
                    yield f"{operation['operationId']} {status}", body


def examples_of(document: Any, body: Any) -> dict[str, Any]:
    """The values that the document shows of the body, by title, also those that it holds once for many."""
    held = document["components"]["examples"]
    shown = body.get("examples", {}).items()
    return {title: (held[e["$ref"].rpartition("/")[2]] if "$ref" in e else e)["value"] for title, e in shown}


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema names null as a type. A field that an object does not name is none of its fields."""
    if isinstance(node, list):
        return [as_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {key: as_json_schema(part) for key, part in node.items()}
    if plain.get("type") == "object" and isinstance(plain.get("properties"), dict):
        plain.setdefault("additionalProperties", False)
    return {"anyOf": [plain, {"type": "null"}]} if plain.pop("nullable", None) is True else plain


def test_every_operation_says_what_it_does(document: Any) -> None:
    silent = [o["operationId"] for methods in document["paths"].values() for o in methods.values() if not o.get("description", "").strip()]
    assert silent == []


def test_every_parameter_amount_and_clock_says_what_it_means(document: Any) -> None:
    asked = [(o["operationId"], p) for methods in document["paths"].values() for o in methods.values() for p in o.get("parameters", [])]
    assert len(asked) > 300
    assert [(name, p["name"]) for name, p in asked if not p.get("description")] == []
    told = [
        (shape, name, about)
        for shape, schema in document["components"]["schemas"].items()
        for name, about in schema.get("properties", {}).items()
        if name.endswith("_minor") or about.get("format") == "date-time"
    ]
    assert len(told) > 100
    assert [(shape, name) for shape, name, about in told if not about.get("description") and "$ref" not in about] == []


def test_no_example_is_left_over(document: Any) -> None:
    operation_ids = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    shapes = set(document["components"]["schemas"])
    files = sorted((COMMITTED.parent / "marketplace").glob("*/api/examples.py"))
    assert len(files) > 5
    for file in files:
        module = import_module(f"marketplace.{file.parts[-3]}.api.examples")
        assert set(getattr(module, "REQUESTS", {})) <= operation_ids, file
        assert {re.sub(r" \d{3}$", "", name) for name in module.ANSWERS} <= operation_ids | shapes, file


def test_every_body_has_an_example(document: Any) -> None:
    shown = {name: examples_of(document, body) for name, body in bodies(document)}
    assert len(shown) > 1000
    assert [name for name, examples in shown.items() if not examples] == []


def test_the_examples_are_what_their_schemas_say(document: Any) -> None:
    components = as_json_schema({"schemas": document["components"]["schemas"]})
    wrong = []
    for name, body in bodies(document):
        validator = Draft202012Validator(
            {**as_json_schema(body["schema"]), "components": components}, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for title, example in examples_of(document, body).items():
            wrong += [(name, title, error.json_path, error.message) for error in validator.iter_errors(example)]
    assert wrong == []


def test_the_refusals_that_are_shown_are_those_that_are_given(document: Any, alice: Any, settings: Any) -> None:
    person, app = Person(alice), sign_in(alice)
    token = app.post("me/tokens", {"name": "Reader", "scopes": ["read"]}).json()["token"]
    key = uuid.uuid4().hex
    person.post("me/shortlists", {"name": "Warehouses"}, key=key)
    plain = {"content_type": "text/plain", "HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex}
    given = [
        person.post("me/payouts", {"amount_minor": "12", "currency": "USD"}),
        Person().get("me"),
        program(token).patch("me", {"display_name": "Alice B."}),
        person.get("contracts/1"),
        person.post("me/shortlists", {"name": "Others"}, key=key),
        person.client.generic("POST", "/api/v1/files", b"", "multipart/form-data; boundary=x", HTTP_IDEMPOTENCY_KEY=uuid.uuid4().hex),
        person.client.post("/api/v1/me/shortlists", "Warehouses", **plain),
    ]
    settings.API_PACE = {"read": (0, 60)}
    given.append(person.get("me"))
    shown = {name.removeprefix("Refusal"): example["value"] for name, example in document["components"]["examples"].items()}
    assert {str(answer.status_code): _without_seconds(answer.json()) for answer in given} == {
        status: _without_seconds(refusal) for status, refusal in shown.items()
    }


def _without_seconds(refusal: Any) -> Any:
    return {**refusal, "message": re.sub(r"\d+ seconds?", "… seconds", refusal["message"])}


def test_topics_are_told_of_and_each_has_operations(document: Any) -> None:
    told = [tag["name"] for tag in document["tags"]]
    assert all(tag["description"] for tag in document["tags"])
    assert {tag for methods in document["paths"].values() for operation in methods.values() for tag in operation["tags"]} == set(told)
    assert len(told) == len(set(told))


def test_who_asks_for_the_documented_media_type_is_not_turned_away(document: Any, db: None) -> None:
    files = [
        (path, media)
        for path, methods in document["paths"].items()
        for media in methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if media != "application/json"
    ]
    assert len(files) == 9
    for path, media in files:
        answer = Person().client.get(re.sub(r"{\w+}", "1", path), HTTP_ACCEPT=media)
        assert (answer.status_code in (401, 404), answer["Content-Type"]) == (True, "application/json"), (path, answer.status_code)
