"""What drf-spectacular cannot know by itself: the key header of repeatable requests and the one error shape."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny

from marketplace.core.api.serializers import Serializer

from .examples import REFUSALS
from .idempotency import HEADER, IdempotentMixin


class Error(Serializer):
    """Every refusal. `code` is stable, `message` says what to do next, `fields` maps input names to what is wrong with them."""

    code = serializers.CharField()
    message = serializers.CharField()
    fields = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))  # type: ignore[assignment]


class Amount(Serializer):
    """An exact amount: whole minor units of an ISO 4217 currency."""

    minor = serializers.IntegerField()
    currency = serializers.CharField(max_length=3)


class FeeTierSerializer(Serializer):
    """From so much on, the percent of what is beyond."""

    from_minor = serializers.IntegerField()
    bps = serializers.IntegerField()


class FeeTermsSerializer(Serializer):
    """A fee that is of the contract: its percent, then its tiers, and what it is at least (out of half of what is paid at most)."""

    freelancer_fee_bps = serializers.IntegerField()
    tiers = FeeTierSerializer(many=True)
    minimum_minor = serializers.IntegerField()


#: what stands in paths and is no `id`
_IN_PATHS = {
    "token": "The secret part of the address in the letter.",
    "feature": "The feature's `name`.",
    "slug": "The skill's `slug`.",
    "provider": "The gateway's name, such as sandbox.",
    "path_token": "The secret part of the address that the gateway was given.",
}


class AutoSchema(SpectacularAutoSchema):
    """Adds to every operation the refusals it can give, the Idempotency-Key where it is read, and the examples of its app.

    An app's `api/examples.py` holds them: `REQUESTS` by operation, `ANSWERS` by operation or by shape. What a view names itself comes first.
    """

    def get_override_parameters(self) -> list[Any]:
        given = list(super().get_override_parameters())
        if isinstance(self.view, IdempotentMixin) and self.method in ("POST", "PUT", "PATCH", "DELETE"):
            about = "Fresh for each new request, the same for its repetition: the same request twice has one effect and one answer."
            given.append(OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, required=self.method == "POST", description=about))
        return given

    def _get_parameters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._get_parameters()
        for parameter in found:
            if parameter["in"] == "path" and "description" not in parameter:
                name = parameter["name"]
                before = self.path.partition("{" + name + "}")[0].rstrip("/").rpartition("/")[2].replace("-", " ")
                parameter["description"] = _IN_PATHS.get(name, f"Which of the {before}: its `id` in answers.")
        return found

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)
        for name, about in schema.get("properties", {}).items():
            if name.endswith("_minor") and "$ref" not in about:
                about.setdefault("description", "Whole minor units of the currency, such as cents.")
            elif about.get("format") == "date-time":
                about.setdefault("description", "UTC.")
        return schema

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        if direction != "response":
            return bodies
        refusals = {"400": "The input is wrong: `fields` says where."}
        if AllowAny not in self.view.permission_classes:
            refusals["401"] = "Sign in first."
            refusals["403"] = "You may see it, but not do this."
        if "{" in self.path or self.method == "POST":  # a body names objects, too
            refusals["404"] = "There is no such object, or you may not see it."
        if self.method != "GET":
            refusals["409"] = "Not possible in the present state, or the key belongs to another request."
        if MultiPartParser in self.view.parser_classes and self.method == "POST":
            refusals["411"] = "Send the header Content-Length."
        if self.method in ("POST", "PUT", "PATCH"):
            refusals["415"] = "Send a body of the media type that is documented."
        if self.view.throttle_classes:
            refusals["429"] = "Too many requests: wait for as many seconds as the header Retry-After says."
        for status, about in refusals.items():
            if status not in bodies:
                bodies[status] = {**self._get_response_for_code(Error, status), "description": about}
        if "429" in refusals:
            seconds = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait.", "required": True}
            bodies["429"]["headers"] = {"Retry-After": seconds}
        return bodies

    def _get_examples(
        self, serializer: Any, direction: Any, media_type: str, status_code: Any = None, extras: Any = None
    ) -> dict[str, Any]:
        found: dict[str, Any] = super()._get_examples(serializer, direction, media_type, status_code, extras)
        if found or media_type != "application/json":
            return found
        if direction == "request":
            value = self._examples_of_app("REQUESTS").get(self.get_operation_id())
        elif str(status_code).startswith("2"):
            value = self._answer(serializer)
        elif str(status_code) in REFUSALS:
            return {"Example": {"$ref": f"#/components/examples/Refusal{status_code}"}}
        else:
            value = self._examples_of_app("ANSWERS").get(f"{self.get_operation_id()} {status_code}")
        return {"Example": {"value": value}} if value is not None else found

    def _answer(self, serializer: Any) -> Any:
        """The operation's own example, else that of the answer's shape, in a list where the answer is one."""
        answers = self._examples_of_app("ANSWERS")
        if self.get_operation_id() in answers:
            return answers[self.get_operation_id()]
        many = isinstance(serializer, serializers.ListSerializer)
        shape = force_instance(serializer.child if many else serializer)
        if not isinstance(shape, serializers.Serializer):
            return None
        value = answers.get(self.get_serializer_name(shape, "response").removesuffix("Serializer"))
        if value is None:
            value = answers.get(self._get_serializer_name(shape, "response"))
        if value is None or not (many or self._is_list_view(serializer)):
            return value
        return {"results": [value], "next": None} if self._get_paginator() else [value]

    def _examples_of_app(self, kind: str) -> dict[str, Any]:
        module = self.view.__module__.rpartition(".")[0] + ".examples"
        examples: dict[str, Any] = getattr(import_module(module), kind, {}) if find_spec(module) else {}
        return examples


def hold_refusals(result: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """drf-spectacular's hook for the whole document: the refusals' examples, which operations refer to."""
    result["components"]["examples"] = {f"Refusal{status}": {"value": value} for status, value in REFUSALS.items()}
    return result
