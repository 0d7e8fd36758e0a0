"""New versions of the fees: one member of staff proposes one, another one publishes it, and from its day on new quotes use it.

What is published is never changed (ledger.triggers): contracts keep the version that they were quoted.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import exponent
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .fee_models import FeeProposal, FeeSchedule
from .fee_tiers import MOST_BPS
from .states import FEE_PROPOSAL

ACTION = "fees_publish"
#: a currency has so many tiers at most
MOST_TIERS = 20
_CLIENT_SIDE = ("client_fee_bps", "client_minimum")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,30}[a-z0-9])?")


def fee_proposals(actor: Actor, *, state: str = "") -> QuerySet[FeeProposal]:
    """What was proposed and what became of it. Raises NotAllowed for anybody who may not see payments."""
    require_staff(actor, "payments_see")
    rows = FeeProposal.objects.select_related("asked_by", "decided_by")
    return rows.filter(state=state) if state else rows


@unit_of_work
def fee_propose(*, actor: Actor, version: str, active_from: datetime, reason: str, **terms: Any) -> FeeProposal:
    """Propose a version: `terms` are freelancer_fee_bps and, where wanted, tax_bps, tiers and minimum, and for the clients' side
    client_fee_bps and client_minimum.

    Raises NotAllowed for anybody else, InvalidInput with a message per field, Conflict("fee_version_taken") for a name that is published or
    proposed already.
    """
    require_staff(actor, ACTION)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    if not isinstance(version, str) or not _NAME.fullmatch(version):
        checks.add("version", "Use 1 to 32 small letters, digits, points and hyphens, such as standard-2.")
    if active_from <= clock.now():
        checks.add("active_from", "Choose a moment in the future: what was quoted before stays as it is.")
    checked = terms_checked(checks, terms)
    checks.raise_if_any()
    taken = Conflict("fee_version_taken", f"There is a version {version} already, or it is proposed. Choose another name.")
    if FeeSchedule.objects.filter(version=version).exists():
        raise taken
    try:
        with transaction.atomic():  # whoever proposes the same name now waits here until this one is done
            row = FeeProposal.objects.create(
                version=version,
                active_from=active_from,
                terms=checked,
                waiting=version,
                reason=reason,
                asked_by_id=actor.pk,
                asked_at=clock.now(),
            )
    except IntegrityError:
        raise taken from None
    events.record(aggregate=row, kind="fee_proposal.propose", actor_id=actor.pk, after={"state": row.state, **_told(row)}, reason=reason)
    audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"state": None}, after={"state": row.state, **_told(row)})
    return row


@unit_of_work
def fee_publish(*, actor: Actor, fee_proposal_id: int, reason: str) -> FeeProposal:
    """The second person: the version is published as it was proposed, and holds for new quotes from its day on.

    Raises NotAllowed for anybody else and for the person who proposed it, NotFound, Conflict when it was decided, or when its day has come.
    """
    row, reason = _locked(actor, fee_proposal_id, reason)
    require(row.asked_by_id != actor.pk, "fee_proposal_second", "You proposed this version: somebody else has to publish it.")
    if row.state == "proposed":
        if row.active_from <= clock.now():
            raise Conflict("fee_proposal_late", "Its day has come already. Refuse it, and propose the version with a later day.")
        row.schedule = FeeSchedule(version=row.version, active_from=row.active_from, **row.terms)
        row.schedule.save(force_insert=True)
    return _decided(actor, row, "publish", reason, also=["schedule"])


@unit_of_work
def fee_refuse(*, actor: Actor, fee_proposal_id: int, reason: str) -> FeeProposal:
    """It is not published; also whoever proposed it may take it back so. Raises NotAllowed, NotFound, Conflict when it was decided."""
    row, reason = _locked(actor, fee_proposal_id, reason)
    return _decided(actor, row, "refuse", reason)


def terms_checked(checks: Checks, given: dict[str, Any]) -> dict[str, Any]:
    """The terms as a schedule keeps them; what is wrong goes into `checks`."""
    unknown = sorted(set(given) - {"freelancer_fee_bps", "tax_bps", "tiers", "minimum", *_CLIENT_SIDE})
    if unknown:
        raise TypeError(f"a schedule has no {unknown}")
    found: dict[str, Any] = {
        "freelancer_fee_bps": checks.whole("freelancer_fee_bps", given.get("freelancer_fee_bps"), low=0, high=MOST_BPS),
        "tax_bps": checks.whole("tax_bps", given.get("tax_bps", 0), low=0, high=MOST_BPS),
        "tiers": {c: _tiers(checks, f"tiers.{c}", steps) for c, steps in _by_currency(checks, "tiers", given.get("tiers")).items()},
        "minimum": {c: checks.amount(f"minimum.{c}", least) for c, least in _by_currency(checks, "minimum", given.get("minimum")).items()},
    }
    if any(given.get(name) for name in _CLIENT_SIDE):
        least = _by_currency(checks, "client_minimum", given.get("client_minimum"))
        found["client_fee_bps"] = checks.whole("client_fee_bps", given.get("client_fee_bps", 0), low=0, high=MOST_BPS)
        found["client_minimum"] = {c: checks.amount(f"client_minimum.{c}", minor) for c, minor in least.items()}
    return found


def _by_currency(checks: Checks, field: str, given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        checks.add(field, "Name currencies, such as USD, with what holds in each.")
        return {}
    known = {}
    for currency, value in sorted((given or {}).items(), key=lambda item: str(item[0])):
        try:
            exponent(currency)
            known[currency] = value
        except InvalidInput:
            checks.add(field, f"{str(currency)[:12]!r} is not a currency we know.")
    return known


def _tiers(checks: Checks, field: str, given: Any) -> list[list[int]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_TIERS or any(not isinstance(s, list) or len(s) != 2 for s in given):
        checks.add(field, f"Give 1 to {MOST_TIERS} pairs: from how many minor units on, and hundredths of a per cent.")
        return []
    tiers = [
        [
            checks.whole(field, start, low=0, high=settings.MAX_AMOUNT_MINOR),
            checks.whole(field, bps, low=0, high=MOST_BPS),
        ]
        for start, bps in given
    ]
    starts = [start for start, _ in tiers]
    if starts != sorted(set(starts)):
        checks.add(field, "Each tier begins at more than the one before it.")
    return tiers


def _locked(actor: Actor, fee_proposal_id: int, reason: str) -> tuple[FeeProposal, str]:
    require_staff(actor, ACTION)
    row = FeeProposal.objects.select_for_update().filter(pk=fee_proposal_id).first()
    if row is None:
        raise NotFound("fee proposal")
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return row, reason


def _decided(actor: Actor, row: FeeProposal, action: str, reason: str, also: list[str] | None = None) -> FeeProposal:
    before = row.state
    row.decided_by_id, row.decided_at, row.decision_reason, row.waiting = actor.pk, clock.now(), reason, None
    changed = ["decided_by", "decided_at", "decision_reason", "waiting", *(also or [])]
    move(row, FEE_PROPOSAL, action, role="staff", actor_id=actor.pk, also=changed, reason=reason, extra=_told(row))
    audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"state": before}, after={"state": row.state})
    return row


def _told(row: FeeProposal) -> dict[str, Any]:
    return {"version": row.version, "active_from": row.active_from.isoformat(), "terms": row.terms}
