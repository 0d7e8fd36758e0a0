"""What the API document shows of views, by operation."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "activity_view": {"item_type": "job", "item_id": 18},
}
