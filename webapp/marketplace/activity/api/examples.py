"""What the API document shows of views; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, Any] = {
    "activity_view": {"item_type": "job", "item_id": 18},
}


ANSWERS: dict[str, Any] = {
    "Opened": {"item_type": "job", "item_id": 18},
}
