"""What happens after the handshake: a contract's whole story as dated actions, drawn before any row is made.

A plan is the one description of a story. `contracts.py` turns it into rows, `replay.py` takes the same actions through the
services: both must end the same. Belongs here: chance. Not here: what an action does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings
from numpy.random import Generator

from . import calibration as cal
from .streams import around


@dataclass(frozen=True, slots=True)
class Action:
    """One thing somebody does at an instant (seconds, UTC). `milestone` counts from 0; -1 is the contract itself."""

    at: int
    verb: str
    milestone: int = -1
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Person:
    """What a story depends on: latent qualities of both sides and the pair's fit (0–1)."""

    quality: float
    responsive: float
    strict: float
    appeal: float
    ghosting: bool
    fit: float


@dataclass(slots=True)
class Story:
    """The actions in order of time, and what both sides thought of it (0: no review)."""

    actions: list[Action]
    ended: int = 0  # 0: not within the story
    client_rating: int = 0
    freelancer_rating: int = 0
    opened: int = 0  # when both reviews, or the one, become visible
    finished: bool = False
    trouble: float = 0.0


def _logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def tell(rng: Generator, who: Person, accepted: int, work_days: list[float]) -> Story:
    """Draw the story of a contract accepted at `accepted` with one length of work (days) per milestone."""
    story = Story([])
    at = due = accepted
    for k, days in enumerate(work_days):
        due += int(days + cal.STEP_SLACK_DAYS) * cal.DAY
        if rng.random() < (cal.NEVER_FUNDED if k == 0 else cal.NEVER_FUNDED / 2):
            story.actions.append(Action(at + int(rng.uniform(6, 12) * cal.DAY), "cancel"))
            return _end(rng, story, who, story.actions[-1].at)
        at = _fund(rng, story, k, at, due)
        at, over = _work(rng, story, who, k, at, days)
        if over:
            if k + 1 < len(work_days):
                at += int(rng.uniform(4, 40) * cal.HOUR)
                story.actions.append(Action(at, "cancel"))
            return _end(rng, story, who, at)
        at += int(rng.uniform(1, 20) * cal.HOUR)
    story.finished = True
    last = max(a.at for a in story.actions if a.verb in ("approve", "auto_approve"))
    return _end(rng, story, who, last)


def _fund(rng: Generator, story: Story, k: int, at: int, due: int) -> int:
    at += int(around(rng, cal.FUND_HOURS_MEDIAN, 0.9, 0.1) * cal.HOUR)
    at = max(at, due - settings.FUND_AHEAD_DAYS * cal.DAY)
    if rng.random() < cal.CARD_DECLINED:
        story.actions.append(Action(at, "fund_declined", k, {"code": "card_declined"}))
        at += int(rng.uniform(300, 7200))
    story.actions.append(Action(at, "fund", k))
    return at


def _work(rng: Generator, story: Story, who: Person, k: int, at: int, days: float) -> tuple[int, bool]:
    """One funded milestone to its end. Returns when, and whether the contract is over with it."""
    at += int(around(rng, cal.START_HOURS_MEDIAN, 0.8, 0.2) * cal.HOUR)
    story.actions.append(Action(at, "start", k))
    due = at + int(days * cal.DAY)
    if rng.random() < _logistic(cal.REFUND_BASE - 0.8 * who.quality - 1.5 * (who.fit - 0.6)):
        at += int(days * rng.uniform(0.3, 1.4) * cal.DAY)
        story.actions.append(Action(at, "refund", k))
        story.trouble += 1.5
        return at, True
    late = rng.random() < _logistic(cal.LATE_BASE - 0.7 * who.quality - 0.3 * who.responsive)
    at = due + int(days * cal.DAY * (rng.uniform(0.05, 0.7) if late else -rng.uniform(0.02, 0.6)))
    story.trouble += 0.4 if late else 0.0
    story.actions.append(Action(at, "submit", k, {"version": 1}))
    version = 1
    while (
        version < 4
        and not who.ghosting
        and rng.random() < _logistic(cal.CHANGE_BASE - 0.6 * who.quality + 0.5 * who.strict - 0.8 * (version - 1))
    ):
        at += int(around(rng, 20, 0.7, 0.5) * cal.HOUR)
        story.actions.append(Action(at, "request_changes", k, {"version": version}))
        version += 1
        at += int(around(rng, 26, 0.7, 1.0) * cal.HOUR)
        story.actions.append(Action(at, "submit", k, {"version": version}))
        story.trouble += 0.25
    if rng.random() < _logistic(cal.DISPUTE_BASE - 0.5 * who.quality + 0.6 * who.strict + 0.5 * (version - 1)):
        at += int(rng.uniform(0.5, 6) * cal.DAY)
        by_client = bool(rng.random() < 0.7)
        story.actions.append(Action(at, "dispute", k, {"by": "client" if by_client else "freelancer"}))
        at += int(rng.uniform(1.0, settings.DISPUTE_DECISION_DAYS - 0.2) * cal.DAY)
        share = float(np.clip(rng.normal(0.5 + 0.15 * who.quality, 0.25), 0.0, 1.0))
        story.actions.append(Action(at, "settle", k, {"share": round(share, 2)}))
        story.trouble += 1.5
        return at, True
    if rng.random() < (0.75 if who.ghosting else cal.CLOCK_APPROVAL_SHARE):
        at += settings.AUTO_APPROVE_DAYS * cal.DAY + int(rng.integers(1, 60))
        story.actions.append(Action(at, "auto_approve", k))
    else:
        at += int(min(around(rng, cal.APPROVE_HOURS_MEDIAN, 0.9, 0.2) * cal.HOUR, (settings.AUTO_APPROVE_DAYS - 1) * cal.DAY))
        story.actions.append(Action(at, "approve", k))
    story.actions.append(Action(at + settings.CLEARING_DAYS * cal.DAY + int(rng.integers(1, 60)), "clear", k))
    return at, False


def _end(rng: Generator, story: Story, who: Person, at: int) -> Story:
    story.ended = at
    worked = any(a.verb == "submit" for a in story.actions)
    shut = at + settings.REVIEW_WINDOW_DAYS * cal.DAY
    written = []
    if worked and not who.ghosting and rng.random() < cal.REVIEW_BY_CLIENT:
        mean = 4.35 + 0.45 * who.quality + 0.8 * (who.fit - 0.65) - 0.7 * story.trouble - 0.12 * who.strict
        story.client_rating = int(np.clip(round(mean + 0.45 * rng.standard_normal()), 1, 5))
        written.append(Action(at + int(rng.uniform(0.05, 11) * cal.DAY), "review_by_client", -1, {"rating": story.client_rating}))
    if worked and rng.random() < cal.REVIEW_BY_FREELANCER:
        mean = 4.4 + 0.4 * who.appeal - 0.4 * story.trouble - (1.2 if who.ghosting else 0.0)
        story.freelancer_rating = int(np.clip(round(mean + 0.45 * rng.standard_normal()), 1, 5))
        written.append(Action(at + int(rng.uniform(0.05, 13) * cal.DAY), "review_by_freelancer", -1, {"rating": story.freelancer_rating}))
    if len(written) == 2:
        story.opened = max(a.at for a in written)
    elif written:
        story.opened = shut + int(rng.integers(1, 300))
    story.actions.extend(written)
    if len(written) == 1:
        story.actions.append(Action(story.opened, "open_reviews"))
    story.actions.sort(key=lambda a: a.at)
    return story
