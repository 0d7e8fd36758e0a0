"""The scores that a person was served, with what each was made of."""

from __future__ import annotations

from marketplace.core.personal import Part, rows_of

from .models import ServedScore


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data."""
    columns = ("batch", "job_id", "position", "score", "parts", "model_version", "publish_id", "served_at")
    return {"served_scores": rows_of(ServedScore.objects.filter(user_id=user_id), *columns)}
