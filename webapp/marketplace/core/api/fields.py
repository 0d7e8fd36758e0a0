"""Serializer fields that take no near misses: money is never a float, and "12" is not 12."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent

MAX_ID = 2**63 - 1


class WholeNumber(serializers.IntegerField):
    """A JSON whole number; floats, text and booleans are refused."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class MinorUnits(WholeNumber):
    """A positive amount in minor units, up to MAX_AMOUNT_MINOR."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": settings.MAX_AMOUNT_MINOR, "help_text": "Whole minor units.", **kwargs})


class CurrencyField(serializers.CharField):
    """An ISO 4217 code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_length": 3, "max_length": 3, "help_text": "ISO 4217.", **kwargs})

    def to_internal_value(self, data: Any) -> str:
        code = str(super().to_internal_value(data))
        try:
            exponent(code)
        except InvalidInput as e:
            raise serializers.ValidationError("Use a three-letter ISO 4217 code such as USD.") from e
        return code
