"""The log of served scores: written in the batch that also writes the impressions of the same lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .models import ServedScore


def write_served_scores(records: list[dict[str, Any]]) -> int:
    """One row for every score in the records (see services._record); returns their number."""
    rows = [
        ServedScore(
            batch=r["batch"],
            user_id=r["user_id"],
            job_id=job_id,
            position=position,
            score=score,
            parts=[{"name": name, "value": value, "text": text} for name, value, text in parts],
            model_version=r["model_version"],
            publish_id=r["publish_id"],
            served_at=datetime.fromisoformat(r["at"]),
        )
        for r in records
        for job_id, position, score, parts in r["rows"]
    ]
    ServedScore.objects.bulk_create(rows, batch_size=500)
    return len(rows)
