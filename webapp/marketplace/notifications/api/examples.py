"""What the API document shows of notifications, by operation and by shape."""

from __future__ import annotations

from typing import Any

ANSWERS: dict[str, Any] = {
    "InboxItem": {
        "id": 27,
        "kind": "contract.offer",
        "text": "You have an offer for “Data pipeline for a shop”.",
        "link": "/contracts/31",
        "created_at": "2026-03-05T09:00:00Z",
        "read_at": None,
    },
    "me_inbox_read": {
        "id": 27,
        "kind": "contract.offer",
        "text": "You have an offer for “Data pipeline for a shop”.",
        "link": "/contracts/31",
        "created_at": "2026-03-05T09:00:00Z",
        "read_at": "2026-03-05T09:20:00Z",
    },
    "ReadAll": {"read": 3},
    "Preference": {"pace": "daily", "by_topic": {"disputes": "instant"}, "quiet_from": 1320, "quiet_to": 420, "digest_at": 480},
}
