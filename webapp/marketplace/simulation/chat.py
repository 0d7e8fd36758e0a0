"""Conversations around bids, harmless ones that look suspicious included."""

from __future__ import annotations

from numpy.random import Generator

from marketplace.messaging.models import Conversation, Message

from . import calibration as cal
from . import texts
from .bids import Bids, Desk, Sent
from .fraud import Planted
from .streams import uuids
from .tables import Table

TALK_SHARE = 0.35  # of shortlisted bids without an offer: assumed


def conversations(desk: Desk, bids: Bids, planted: Planted) -> list[Table]:
    """A conversation for every offer and some shortlisted bids; planted lines come before any contract."""
    rng = desk.streams["chat"]
    talks = Table(Conversation, ("id", "job_id", "client_id", "freelancer_id", "last_seq", "created_at"))
    messages = Table(Message, ("id", "conversation_id", "seq", "author_id", "client_key", "text", "sent_at"))
    for s in sorted(bids.sent.values(), key=lambda s: s.id):
        lines = planted.lines.get((s.bid.job, s.bid.freelancer), ())
        began = s.shortlisted or s.offered or (s.bid.at + cal.HOUR if lines else 0)
        if not began or not (s.offered or lines or rng.random() < TALK_SHARE):
            continue
        _talk(desk, rng, s, began, lines, talks, messages)
    return [talks, messages]


def _talk(desk: Desk, rng: Generator, s: Sent, began: int, lines: tuple[str, ...], talks: Table, messages: Table) -> None:
    client, freelancer = int(desk.clients.user_id[desk.jobs.client[s.bid.job]]), int(desk.people.user_id[s.bid.freelancer])
    turns = [texts.CHAT[(2 * k + side) % len(texts.CHAT)] for k in range(int(rng.integers(1, 6))) for side in (0, 1)]
    turns[2:2] = lines
    pk, at, sent = len(talks) + 1, began, 0
    keys = uuids(rng, len(turns))
    for k, text in enumerate(turns):
        at += int(rng.uniform(60, 9_000))
        if at > desk.until:
            break
        sent += 1
        messages.add(len(messages) + 1, pk, sent, client if k % 2 == 0 else freelancer, str(keys[k]), text, at)
    talks.add(pk, int(desk.jobs.id[s.bid.job]), client, freelancer, sent, began)
