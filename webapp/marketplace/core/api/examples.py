"""What the API document shows of the clock, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "clock_advance": {"seconds": 86400},
}
