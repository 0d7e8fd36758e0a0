"""Bid credits as movements. The account's row is locked after job and proposal; several accounts are locked in the order of their owners."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from marketplace.core import clock, events
from marketplace.core.errors import Conflict
from marketplace.core.transactions import unit_of_work

from ..credits import RETURNS, active_rule, month_after
from ..models import BidCreditAccount, BidCreditMovement, BidCreditRule, Proposal

GRANT, SPEND, RETURN = BidCreditMovement.Kind.GRANT, BidCreditMovement.Kind.SPEND, BidCreditMovement.Kind.RETURN


def account_to_spend(freelancer_id: int, cost: int) -> BidCreditAccount:
    """The account, locked and filled if its month has come, when it holds the cost. Raises Conflict("bid_credits_short").

    Opens the account of somebody who bids for the first time.
    """
    account = _locked(freelancer_id)
    _fill(account)
    if account.balance < cost:
        raise Conflict(
            "bid_credits_short",
            f"This proposal costs {cost} bid credits and you have {account.balance}. "
            f"Your balance is filled up again on {account.next_grant_at:%d %B %Y}.",
        )
    return account


def spend(account: BidCreditAccount, proposal: Proposal, rule: BidCreditRule) -> None:
    """Take the proposal's cost from an account that `account_to_spend` gave."""
    _move(account, SPEND, -proposal.bid_credits, rule.version, proposal=proposal)


def give_back(proposals: Iterable[Proposal], why: str) -> None:
    """Return what these locked bids cost, one of RETURNS, with an event each; what came back before, or cost nothing, stays as it is.

    For good: credits that a removal gave back are not taken again when the removal turns out wrong and the post is restored. The bids that it
    ended stay ended and a new one costs anew, so there nothing was given away. What was answered before, or has an offer out that outlives the
    removal, has had its bid for nothing: the mistake was the house's. To take it back would also cost people different amounts, by whether they
    spent it meanwhile or a month has filled them up, and for some there would be nothing to take. A second removal returns nothing twice.
    """
    for proposal in sorted((p for p in proposals if p.bid_credits), key=lambda p: (p.freelancer_id, p.pk)):
        account = _locked(proposal.freelancer_id)
        if BidCreditMovement.objects.filter(proposal=proposal, kind=RETURN).exists():
            continue
        _move(account, RETURN, proposal.bid_credits, why, proposal=proposal)
        after = {"credits": proposal.bid_credits, "rule": why}
        events.record(aggregate=proposal, kind="proposal.credits_return", actor_id=None, after=after, reason=RETURNS[why])


@unit_of_work
def credits_grant(*, freelancer_id: int) -> bool:
    """The clock's act: fill the balance up to the month's number. Says whether a month had come; twice in one month gives nothing more."""
    account = BidCreditAccount.objects.select_for_update().filter(pk=freelancer_id).first()
    return account is not None and _fill(account)


@unit_of_work
def credit_rule_publish(
    *, version: str, active_from: datetime, monthly: int, bands: list[dict[str, int | None]], hourly: int, unknown: int
) -> BidCreditRule:
    """Another cost rule, in force from its instant on. Raises Conflict("rule_exists") for a version that is published already."""
    if BidCreditRule.objects.filter(version=version).exists():
        raise Conflict("rule_exists", f"The rule {version!r} is published: choose another version.")
    return BidCreditRule.objects.create(
        version=version, active_from=active_from, monthly=monthly, bands=bands, hourly=hourly, unknown=unknown
    )


def _locked(freelancer_id: int) -> BidCreditAccount:
    rows = BidCreditAccount.objects.select_for_update()
    account = rows.filter(pk=freelancer_id).first()
    if account is None:
        now = clock.now()
        try:
            with transaction.atomic():
                BidCreditAccount.objects.create(freelancer_id=freelancer_id, opened_at=now, next_grant_at=now)
        except IntegrityError:
            pass  # a rival opened it first
        account = rows.get(pk=freelancer_id)
    return account


def _fill(account: BidCreditAccount) -> bool:
    now, rule = clock.now(), active_rule()
    if account.next_grant_at > now:
        return False
    account.next_grant_at = month_after(now)
    account.save(update_fields=["next_grant_at"])
    missing = (rule.monthly if rule else 0) - account.balance
    if rule and missing > 0:
        _move(account, GRANT, missing, rule.version, period=f"{now.astimezone(UTC):%Y-%m}")
    return True


def _move(
    account: BidCreditAccount, kind: str, change: int, rule: str, *, proposal: Proposal | None = None, period: str | None = None
) -> None:
    account.balance += change
    account.movements += 1
    BidCreditMovement.objects.create(
        account=account,
        number=account.movements,
        kind=kind,
        change=change,
        balance=account.balance,
        proposal=proposal,
        period=period,
        rule=rule,
        at=clock.now(),
    )
    account.save(update_fields=["balance", "movements"])
