"""Numbers and switches that staff may change while the house runs. Everything else is a setting of the installation.

A feature's value is the one staff put, else the setting of its name. A change counts for what begins afterwards: deadlines that are written on
rows stay as they were promised.

Belongs here: what may be changed, within which bounds, by whom. Not here: prices (payments.FeeSchedule has versions), terms that running contracts
promise both sides (silence, clearing, reviews: they change with the installation only), and secrets (environment).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from . import audit, events
from .checks import Checks
from .errors import Conflict, NotFound
from .models import FeatureSetting
from .policies import Actor, require_staff
from .transactions import unit_of_work


@dataclass(frozen=True, slots=True)
class Feature:
    """A number with its bounds, or a switch (`low` is None). `words` say what it does, for the page of settings."""

    words: str
    low: int | None = None
    high: int | None = None

    @property
    def is_switch(self) -> bool:
        return self.low is None


FEATURES: dict[str, Feature] = {
    "SIGN_UP_OPEN": Feature("New people can sign up."),
    "POSTING_OPEN": Feature("Clients can publish posts."),
    "PROPOSALS_OPEN": Feature("Freelancers can send proposals."),
    "FUNDING_OPEN": Feature("Clients can fund milestones."),
    "PAYOUTS_OPEN": Feature("Freelancers can ask for payouts."),
    "JOB_OPEN_DAYS": Feature("Days until an open post expires.", 1, 180),
    "OFFER_EXPIRES_DAYS": Feature("Days for which an offer stands.", 1, 60),
    "FIRST_PAYOUT_HOLD_HOURS": Feature("Hours for which a person's first payout is held.", 0, 240),
    "PAYOUT_METHOD_WAIT_HOURS": Feature("Hours for which a place to be paid waits when it is added after another one.", 0, 720),
    "PAYOUT_LEAST_USD_MINOR": Feature("US cents that the smallest payout is worth.", 0, 100_000),
    "VELOCITY_HOLDS": Feature("What the velocity rules find is held; off: it is only counted."),
    "QUOTE_MINUTES": Feature("Minutes for which a quote's rate stands.", 1, 60),
}

_read: dict[str, tuple[float, int | bool | None]] = {}


def default(name: str) -> int | bool:
    """What counts while staff have put nothing: the installation's setting."""
    return getattr(settings, name)


def lay() -> None:
    """A row for each feature, so that a page of settings can list them all."""
    there = set(FeatureSetting.objects.values_list("name", flat=True))
    FeatureSetting.objects.bulk_create((FeatureSetting(name=n) for n in FEATURES if n not in there), ignore_conflicts=True)


def value(name: str) -> int | bool:
    """The feature's value now; at most FEATURES_STALE_SECONDS old when another process changed it. Raises KeyError for an unknown name."""
    FEATURES[name]
    at, stored = _read.get(name, (float("-inf"), None))
    if time.monotonic() - at >= settings.FEATURES_STALE_SECONDS:
        row = FeatureSetting.objects.filter(name=name).values_list("value", flat=True).first()
        stored = row if isinstance(row, int) else None
        _read[name] = (time.monotonic(), stored)
    return default(name) if stored is None else stored


def number(name: str) -> int:
    """The value of a feature that is a number."""
    return int(value(name))


def on(name: str) -> bool:
    """Whether a feature that is a switch is on."""
    return bool(value(name))


def require_on(name: str, message: str) -> None:
    """Raise Conflict("feature_off", message) while the switch is off."""
    if not on(name):
        raise Conflict("feature_off", message)


def all_for(actor: Actor) -> list[dict[str, Any]]:
    """Every feature with its value, default, bounds and words, by name. Raises NotAllowed("staff_only")."""
    require_staff(actor, "settings_change")
    stored = dict(FeatureSetting.objects.values_list("name", "value"))
    return [
        {
            "name": name,
            "words": f.words,
            "switch": f.is_switch,
            "value": default(name) if stored.get(name) is None else stored[name],
            "default": default(name),
            "changed": stored.get(name) is not None,
            "low": f.low,
            "high": f.high,
        }
        for name, f in sorted(FEATURES.items())
    ]


@unit_of_work
def put(*, actor: Actor, name: str, value: int | bool | None, reason: str) -> FeatureSetting:
    """Change a feature, or bring back its default with None; the change and its reason go to the audit and to the event log.

    Raises NotAllowed("staff_only"), NotFound for an unknown name, InvalidInput for a value of the wrong kind or out of bounds.
    """
    require_staff(actor, "settings_change")
    feature = FEATURES.get(name)
    if feature is None:
        raise NotFound("feature")
    checks = Checks()
    if value is not None and feature.is_switch and type(value) is not bool:
        checks.add("value", "Use true or false, or null for the default.")
    elif value is not None and feature.low is not None and feature.high is not None:
        checks.whole("value", value, low=feature.low, high=feature.high)
    checks.raise_if_any()
    FeatureSetting.objects.get_or_create(name=name)
    row = FeatureSetting.objects.select_for_update().get(name=name)
    before, row.value = row.value, value
    row.save(update_fields=["value"])
    if before != value or type(before) is not type(value):
        audit.record(actor=actor, action="settings_change", obj=row, reason=reason, before={"value": before}, after={"value": value})
        events.record(
            aggregate=row,
            kind="feature.change",
            actor_id=actor.pk,
            before={"value": before},
            after={"name": name, "value": value},
            reason=reason,
        )
    _read.pop(name, None)
    return row
