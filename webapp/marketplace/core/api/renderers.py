"""JSON answers, written by orjson."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework import renderers

#: instants have been written by their fields; whatever else is no plain JSON is REST framework's to write
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class JSONRenderer(renderers.JSONRenderer):
    """REST framework's renderer at orjson's speed; what orjson refuses (numbers past 64 bits, lazy texts, decimals) is REST framework's to write."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if isinstance(data, dict | list) and accepted_media_type in (None, self.media_type):
            try:
                return orjson.dumps(data, option=OPTIONS)
            except TypeError:
                pass
        return bytes(super().render(data, accepted_media_type, renderer_context))
