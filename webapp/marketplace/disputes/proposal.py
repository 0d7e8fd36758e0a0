"""The split that the system proposes: non-binding, computed from what is on record, with every part shown.

The share of the freelancer is a sum of parts in basis points of the held money, which starts in the middle and is kept within 0 and 10,000:

    share = 5,000 + delivery + acceptance + punctuality + messages + precedents

Messages count as answered when the other side wrote within DISPUTE_ANSWER_DAYS; their part is ANSWERING times the freelancer's answered share
less the client's. A part that nothing is on record for is named, and not counted.

The weights are assumed, chosen so that no part but a missing delivery decides alone; VERSION changes with any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.messaging.selectors import Answering

VERSION = "split-2"
START, WHOLE = 5_000, 10_000
DELIVERED, NOTHING_DELIVERED = 2_000, -4_000
NO_OBJECTION, ALL_UNMET = 1_000, -3_000
IN_TIME, LATE_A_DAY, LATE_MOST = 500, -100, -1_500
ANSWERING = 1_000
PRECEDENT_PULL = 0.2


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record about the milestone, and the ids of the rows that say so."""

    milestone_id: int
    acceptance_items: int
    submission_ids: tuple[int, ...]
    first_submitted_at: datetime | None
    last_submission_objected: bool
    unmet_items: int
    due_at: datetime | None
    messages: Answering
    #: the like disputes, as Precedents.told says them
    precedents: dict[str, Any]


Rows = tuple[tuple[str, tuple[int, ...]], ...]


def parts(facts: Facts) -> list[dict[str, Any]]:
    """[{"code", "bps", "text", "counted", "rows"}]: the sum of `bps` is the freelancer's share. Every part is there: one that nothing is on
    record for has 0 and `counted` false, and says why. `rows` ([{"kind", "ids"}]) are what it was read from; precedents name no rows."""
    found = [
        _part("start", START, "Held money starts in the middle."),
        _delivery(facts),
        _acceptance(facts),
        _punctuality(facts),
        _messages(facts.messages),
        _pulled(facts.precedents),
    ]
    total = sum(p["bps"] for p in found)
    within = min(WHOLE, max(0, total))
    if within != total:
        found.append(_part("bounds", within - total, "A share lies between nothing and everything."))
    return found


def _part(code: str, bps: int, text: str, rows: Rows = (), *, counted: bool = True) -> dict[str, Any]:
    told = [{"kind": kind, "ids": list(ids)} for kind, ids in rows if ids]
    return {"code": code, "bps": bps, "text": text.strip(), "counted": counted, "rows": told}


def _delivery(facts: Facts) -> dict[str, Any]:
    n = len(facts.submission_ids)
    if not n:
        return _part("delivery", NOTHING_DELIVERED, "No work was handed in.", (("milestone", (facts.milestone_id,)),))
    text = f"Work was handed in ({n} version{'s' if n > 1 else ''})."
    return _part("delivery", DELIVERED, text, (("submission", facts.submission_ids),))


def _acceptance(facts: Facts) -> dict[str, Any]:
    newest: Rows = (("submission", facts.submission_ids[-1:]), ("milestone", (facts.milestone_id,)))
    if not facts.submission_ids:
        return _part("acceptance", 0, "Not counted: no work was handed in to compare with the acceptance list.", counted=False)
    if not facts.last_submission_objected:
        return _part("acceptance", NO_OBJECTION, "No changes were asked for on the newest version.", newest)
    if not facts.acceptance_items:
        return _part("acceptance", 0, "Not counted: changes were asked for, but no acceptance list was agreed.", newest, counted=False)
    text = f"{facts.unmet_items} of {facts.acceptance_items} points of the acceptance list were named as not met."
    return _part("acceptance", round(ALL_UNMET * facts.unmet_items / facts.acceptance_items), text, newest)


def _punctuality(facts: Facts) -> dict[str, Any]:
    if facts.due_at is None or facts.first_submitted_at is None:
        why = "no due date was agreed" if facts.due_at is None else "no work was handed in"
        return _part("punctuality", 0, f"Not counted: {why}.", counted=False)
    rows: Rows = (("submission", facts.submission_ids[:1]), ("milestone", (facts.milestone_id,)))
    if facts.first_submitted_at <= facts.due_at:
        return _part("punctuality", IN_TIME, "The work came in time.", rows)
    days = -((facts.due_at - facts.first_submitted_at) // timedelta(days=1))
    return _part("punctuality", max(LATE_MOST, LATE_A_DAY * days), f"The work came up to {days} day{'s' if days > 1 else ''} late.", rows)


def _messages(m: Answering) -> dict[str, Any]:
    if not m.message_ids:
        return _part("messages", 0, "Not counted: there are no messages between the two sides on record.", counted=False)
    rows: Rows = (("message", m.message_ids),)
    if not m.asked_client and not m.asked_freelancer:
        return _part("messages", 0, "Not counted: no message has waited long enough for an answer.", rows, counted=False)
    told = f"The freelancer answered {m.answered_freelancer} of {m.asked_freelancer} in time, the client {m.answered_client} of {m.asked_client}."
    by_freelancer = m.answered_freelancer / m.asked_freelancer if m.asked_freelancer else 1.0
    by_client = m.answered_client / m.asked_client if m.asked_client else 1.0
    return _part("messages", round(ANSWERING * (by_freelancer - by_client)), told, rows)


_ALIKE = {"category": "in this category", "filer": "opened by the same side"}


def _pulled(like: dict[str, Any]) -> dict[str, Any]:
    if not like["n"]:
        return _part("precedents", 0, f"Not counted: {like['note']}", counted=False)
    middle = like["freelancer_share_quartiles_bps"][1]
    alike = [_ALIKE[word] for word in like["alike_in"] if word in _ALIKE]
    if like["amount_band"] is not None:
        alike.append(f"over {like['amount_band']['text']}")
    text = f"The middle of {like['n']} disputes {', '.join(alike)} gave {middle / 100:.0f} %. {like['note']}"
    return _part("precedents", round(PRECEDENT_PULL * (middle - START)), text)


def proposal(facts: Facts, held_minor: int) -> dict[str, Any]:
    """The proposal as it is stored: version, parts, share_bps, to_freelancer_minor and to_client_minor, which sum to what is held.

    The half minor unit goes to the freelancer.
    """
    found = parts(facts)
    share = sum(p["bps"] for p in found)
    to_freelancer = (held_minor * share + WHOLE // 2) // WHOLE
    return {
        "version": VERSION,
        "parts": found,
        "share_bps": share,
        "to_freelancer_minor": to_freelancer,
        "to_client_minor": held_minor - to_freelancer,
    }
