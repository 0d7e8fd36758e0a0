"""Reading conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import Message

#: of a conversation the newest messages that are looked at
MOST = 5000


@dataclass(frozen=True, slots=True)
class Answering:
    """How two people answered each other: for each side how often it had to, and how often it did in time. `message_ids` are what was read."""

    asked_client: int
    answered_client: int
    asked_freelancer: int
    answered_freelancer: int
    message_ids: tuple[int, ...]


def answering(*, job_id: int, client_id: int, freelancer_id: int, since: datetime, until: datetime, within: timedelta) -> Answering:
    """The answering between the two about a job, from `since` to before `until`; one query.

    Messages of one side in a row are one question, asked with the first of them; it counts once it is answered, or when `within` has passed
    before `until`.
    """
    rows = Message.objects.filter(conversation__job=job_id, conversation__freelancer=freelancer_id, sent_at__gte=since, sent_at__lt=until)
    newest = list(rows.order_by("-seq").values_list("pk", "author_id", "sent_at")[:MOST])[::-1]
    turns: list[tuple[int, datetime]] = []
    for _, author, at in newest:
        if not turns or turns[-1][0] != author:
            turns.append((author, at))
    asked, answered = {client_id: 0, freelancer_id: 0}, {client_id: 0, freelancer_id: 0}
    for i, (author, at) in enumerate(turns):
        other = freelancer_id if author == client_id else client_id
        is_answered = i + 1 < len(turns)
        in_time = (turns[i + 1][1] if is_answered else until) - at <= within
        if is_answered or not in_time:
            asked[other] += 1
            answered[other] += is_answered and in_time
    return Answering(asked[client_id], answered[client_id], asked[freelancer_id], answered[freelancer_id], tuple(pk for pk, _, _ in newest))
