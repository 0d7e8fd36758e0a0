"""The split that the system proposes: non-binding, computed from what is on record, with every part shown.

The share of the freelancer is a sum of parts in basis points of the held money, which starts in the middle and is kept within 0 and 10,000:

    share = 5,000 + delivery + acceptance + punctuality + precedents

The weights are assumed, chosen so that no part but a missing delivery decides alone; VERSION changes with any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

VERSION = "split-2"
START, WHOLE = 5_000, 10_000
DELIVERED, NOTHING_DELIVERED = 2_000, -4_000
NO_OBJECTION, ALL_UNMET = 1_000, -3_000
IN_TIME, LATE_A_DAY, LATE_MOST = 500, -100, -1_500
PRECEDENT_PULL = 0.2


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record about the milestone."""

    acceptance_items: int
    versions: int
    first_submitted_at: datetime | None
    last_submission_objected: bool
    unmet_items: int
    due_at: datetime | None
    #: the like disputes, as Precedents.told says them
    precedents: dict[str, Any]


def parts(facts: Facts) -> list[dict[str, Any]]:
    """[{"code", "bps", "text"}], whose sum is the freelancer's share."""
    found = [("start", START, "Held money starts in the middle.")]
    if facts.versions:
        found.append(("delivery", DELIVERED, f"Work was handed in ({facts.versions} version{'s' if facts.versions > 1 else ''})."))
    else:
        found.append(("delivery", NOTHING_DELIVERED, "No work was handed in."))
    if facts.versions and not facts.last_submission_objected:
        found.append(("acceptance", NO_OBJECTION, "No changes were asked for on the newest version."))
    elif facts.versions and facts.acceptance_items:
        bps = round(ALL_UNMET * facts.unmet_items / facts.acceptance_items)
        text = f"{facts.unmet_items} of {facts.acceptance_items} points of the acceptance list were named as not met."
        found.append(("acceptance", bps, text))
    if facts.first_submitted_at is not None and facts.due_at is not None:
        late = (facts.first_submitted_at - facts.due_at) // timedelta(days=1)
        if late < 0 or facts.first_submitted_at <= facts.due_at:
            found.append(("punctuality", IN_TIME, "The work came in time."))
        else:
            found.append(("punctuality", max(LATE_MOST, LATE_A_DAY * (late + 1)), f"The work came {late + 1} days late or less."))
    found.append(("precedents", *_pulled(facts.precedents)))
    total = sum(bps for _, bps, _ in found)
    within = min(WHOLE, max(0, total))
    if within != total:
        found.append(("bounds", within - total, "A share lies between nothing and everything."))
    return [{"code": code, "bps": bps, "text": text} for code, bps, text in found]


_ALIKE = {"category": "in this category", "filer": "opened by the same side"}


def _pulled(like: dict[str, Any]) -> tuple[int, str]:
    if not like["n"]:
        return 0, f"Precedents are not counted. {like['note']}"
    middle = like["freelancer_share_quartiles_bps"][1]
    alike = [_ALIKE[word] for word in like["alike_in"] if word in _ALIKE]
    if like["amount_band"] is not None:
        alike.append(f"over {like['amount_band']['text']}")
    text = f"The middle of {like['n']} disputes {', '.join(alike)} gave {middle / 100:.0f} %. {like['note']}".strip()
    return round(PRECEDENT_PULL * (middle - START)), text


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
