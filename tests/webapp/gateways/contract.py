"""A provider's own OpenAPI document as a judge: of the requests that our adapters send, and of what the simulators answer.

Form bodies are decoded by the document. Nested objects are closed: a key that the document does not know is a breach, also where the
document forgot to say so.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "contracts"
_FORM = "application/x-www-form-urlencoded"
_KEY = re.compile(r"[^\[\]]+")


def folder() -> Path:
    """Where the providers' documents lie; skips the test where they are absent."""
    if not FOLDER.is_dir():
        pytest.skip("../shared/contracts is absent: the providers' documents are not part of the project, so requests cannot be checked")
    pytest.importorskip("openapi_schema_validator", reason="openapi-schema-validator is missing: install requirements/dev.txt")
    return FOLDER


@lru_cache(maxsize=16)
def document(name: str) -> Contract:
    """The contract in that file of the folder; read once a process, for the Stripe document has eight megabytes."""
    path = folder() / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return Contract(json.loads(raw), path.name)


class Contract:
    """Judges requests and responses; every method returns the breaches it found, none being well."""

    def __init__(self, doc: dict[str, Any], name: str) -> None:
        from openapi_schema_validator import OAS30Validator
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        _readable(doc)
        self.doc, self.name = doc, name
        self._validator = OAS30Validator
        self._registry = Registry().with_resource("urn:doc", Resource(contents=doc, specification=DRAFT4))
        # the more literal of two templates that fit wins
        templates = sorted(doc["paths"], key=lambda p: (p.count("{"), p))
        self._paths = [(re.compile(re.sub(r"\\{[^/]+?\\}", "[^/]+", re.escape(t))), t) for t in templates]
        self._closed: dict[tuple[str, str], tuple[dict[str, Any], str] | None] = {}

    def template(self, path: str) -> str | None:
        """The document's path that this one is an instance of."""
        return next((t for pattern, t in self._paths if pattern.fullmatch(path)), None)

    def request(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> list[str]:
        """What is wrong with a request: unknown path, parameter or key; a missing, mistyped or forbidden value."""
        template = self.template(path)
        if template is None or method.lower() not in self.doc["paths"][template]:
            return [f"{method} {path}: {self.name} has no such operation"]
        return [
            f"{method} {template}: {b}"
            for b in (*self._query(method, template, query, headers), *self._body(method, template, headers, body))
        ]

    def _query(self, method: str, template: str, query: str, headers: dict[str, str]) -> Iterator[str]:
        item = self.doc["paths"][template]
        params = [self._resolved(p) for p in (*item.get("parameters", ()), *item[method.lower()].get("parameters", ()))]
        known = {p["name"]: p for p in params if p["in"] == "query"}
        given = _nested(query)
        for name, value in given.items():
            if name not in known:
                yield f"unknown query parameter {name!r}"
                continue
            schema = known[name].get("schema") or {}
            yield from self._wrong(self._inline(schema), _as(self._inline(schema), value))
        lower = {k.lower() for k in headers}
        for p in params:
            if p.get("required") and p["in"] == "query" and p["name"] not in given:
                yield f"query parameter {p['name']!r} is missing"
            if p.get("required") and p["in"] == "header" and p["name"].lower() not in lower:
                yield f"header {p['name']!r} is missing"

    def _body(self, method: str, template: str, headers: dict[str, str], body: bytes) -> Iterator[str]:
        key = (method.lower(), template)
        if key not in self._closed:
            self._closed[key] = self._schema_of_body(*key)
        closed = self._closed[key]
        if closed is None:
            if body:
                yield "a body where the operation takes none"
            return
        schema, media = closed
        sent = next((v for k, v in headers.items() if k.lower() == "content-type"), "").split(";")[0]
        if body and sent != media:
            yield f"content type {sent!r} instead of {media!r}"
            return
        try:
            value: Any = _as(schema, _nested(body.decode())) if media == _FORM else (json.loads(body) if body else {})
        except ValueError as e:
            yield f"unreadable body: {e}"
            return
        yield from self._wrong(schema, value)

    def _schema_of_body(self, method: str, template: str) -> tuple[dict[str, Any], str] | None:
        found = self.doc["paths"][template][method].get("requestBody")
        if found is None:
            return None
        content = self._resolved(found)["content"]
        media = _FORM if _FORM in content else next(iter(content))
        return self._inline(content[media]["schema"]), media

    def response(self, method: str, path: str, status: int, answer: Any) -> list[str]:
        """What is wrong with an answer."""
        template = self.template(path)
        if template is None:
            return [f"{method} {path}: no such operation"]
        responses = self.doc["paths"][template][method.lower()]["responses"]
        name = next((n for n in (str(status), f"{status // 100}XX", "default") if n in responses), None)
        if name is None:
            return [f"{method} {template}: the document knows no answer {status}"]
        where = ["paths", template, method.lower(), "responses", name]
        found = responses[name]
        if "$ref" in found:
            where, found = found["$ref"].removeprefix("#/").split("/"), self._resolved(found)
        if not found.get("content"):
            return []
        where = [*where, "content", next(iter(found["content"])), "schema"]
        pointer = "/".join(p.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D") for p in where)
        return [f"answer {status} of {method} {template}: {w}" for w in self._wrong({"$ref": f"urn:doc#/{pointer}"}, answer)]

    def schema(self, name: str, value: Any) -> list[str]:
        """What is wrong with a value of a named component."""
        return [f"{name}: {w}" for w in self._wrong({"$ref": f"urn:doc#/components/schemas/{name}"}, value)]

    def _wrong(self, schema: dict[str, Any], value: Any) -> list[str]:
        from jsonschema.exceptions import best_match

        found = []
        for error in self._validator(schema, registry=self._registry).iter_errors(value):
            worst = best_match([error]) or error
            found.append(f"{'/'.join(map(str, worst.absolute_path)) or '(root)'}: {worst.message[:300]}")
        return found

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.doc
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def _inline(self, schema: Any, inside: tuple[str, ...] = ()) -> Any:
        """The schema without references and allOf, every object closed; where it contains itself it is left open."""
        if not isinstance(schema, dict):
            return schema
        ref = schema.get("$ref")
        if ref is not None:
            return {} if ref in inside else self._inline(self._resolved(schema), (*inside, ref))
        own = {k: v for k, v in schema.items() if k not in ("allOf", "readOnly", "example", "discriminator")}
        for part in schema.get("allOf", ()):
            merged = self._inline(part, inside)
            own["properties"] = {**merged.get("properties", {}), **own.get("properties", {})}
            own["required"] = [*own.get("required", ()), *merged.get("required", ())]
            for k, v in merged.items():
                if k not in ("properties", "required", "additionalProperties"):
                    own.setdefault(k, v)
        if not own.get("required", True):
            del own["required"]
        if own.get("properties"):
            own["properties"] = {k: self._inline(v, inside) for k, v in own["properties"].items()}
            # closed, unless the document itself says what else may be there; parts of an alternative are judged with the whole
            if "anyOf" not in own and "oneOf" not in own:
                own.setdefault("additionalProperties", False)
        elif "properties" in own:
            del own["properties"]
        for k in ("items", "additionalProperties", "not"):
            if k in own:
                own[k] = self._inline(own[k], inside)
        for k in ("anyOf", "oneOf"):
            if k in own:
                own[k] = [self._inline(part, inside) for part in own[k]]
        return own


def _readable(node: Any) -> None:
    """Say in the validator's words what a document means: null in alternatives and enumerations; patterns in a dialect that Python does not
    read judge nothing."""
    if isinstance(node, list):
        for part in node:
            _readable(part)
    elif isinstance(node, dict):
        for part in node.values():
            _readable(part)
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            try:
                re.compile(pattern)
            except re.error:
                del node["pattern"]
        if node.get("nullable") is True:
            if isinstance(node.get("enum"), list):
                node["enum"] = [*node["enum"], None]
            for k in ("anyOf", "oneOf"):
                if k in node:
                    node[k] = [*node[k], {"nullable": True, "enum": [None]}]


def _nested(form: str) -> dict[str, Any]:
    """`a[b][0]=x` as {"a": {"b": {"0": "x"}}}."""
    out: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True, strict_parsing=bool(form)):
        first, *rest = _KEY.findall(name)
        at, last = out, first
        for part in rest:
            at = at.setdefault(last, {})
            last = part
        at[last] = value
    return out


def _as(schema: dict[str, Any], value: Any) -> Any:
    """Text of a form as the types that the schema wants; what does not fit stays text, and is a breach then."""
    from openapi_schema_validator import OAS30Validator

    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        tried = _as(part, value)
        if OAS30Validator(part).is_valid(tried):
            return tried
    kind = schema.get("type")
    if isinstance(value, dict):
        if kind == "array":
            return [_as(schema.get("items", {}), v) for _, v in sorted(value.items(), key=lambda kv: kv[0])]
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        return {k: _as(known.get(k, more if isinstance(more, dict) else {}), v) for k, v in value.items()}
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
