"""What staff look at: every payment, refund, payout, chargeback and entry; what nobody knows the end of; notifications that failed; what rules
found. Reading asks for `payments_see`; asking a gateway again and replaying a notification for `payment_query`, with a reason for the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from marketplace.core import audit
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.policies import Actor, require_staff
from marketplace.core.transactions import unit_of_work

from .ledger.accounts import USER_KINDS
from .models import Account, Chargeback, Entry, Payment, PaymentRefund, Payout, Posting, RiskHold, WebhookEvent, WebhookRefusal
from .payouts import PAID_AFTER_ALL
from .providers.base import QUERY_FAILED

SEE, QUERY = "payments_see", "payment_query"
#: an operation younger than this is still being worked on by whoever began it
GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of every list; None and "" leave a filter out."""

    state: str = ""
    gateway: str = ""
    currency: str = ""
    person: int | None = None
    least: int | None = None
    most: int | None = None
    since: datetime | None = None
    before: datetime | None = None

    def of(self, rows: QuerySet[Any], *, person: str, at: str = "created_at") -> QuerySet[Any]:
        """The rows that are wanted; `person` and `at` name their columns."""
        asked = {
            "state": self.state,
            "provider": self.gateway,
            "currency": self.currency,
            person: self.person,
            "amount_minor__gte": self.least,
            "amount_minor__lte": self.most,
            f"{at}__gte": self.since,
            f"{at}__lt": self.before,
        }
        return rows.filter(**{column: value for column, value in asked.items() if value not in (None, "")})


def payments(actor: Actor, wanted: Wanted) -> QuerySet[Payment]:
    """Raises NotAllowed("staff_only"), as all of these."""
    require_staff(actor, SEE)
    return wanted.of(Payment.objects.select_related("payer"), person="payer_id")


def refunds(actor: Actor, wanted: Wanted) -> QuerySet[PaymentRefund]:
    require_staff(actor, SEE)
    return wanted.of(PaymentRefund.objects.select_related("payment__payer"), person="payment__payer_id")


def payouts(actor: Actor, wanted: Wanted) -> QuerySet[Payout]:
    require_staff(actor, SEE)
    return wanted.of(Payout.objects.select_related("payee", "resolution__asked_by"), person="payee_id")


def chargebacks(actor: Actor, wanted: Wanted) -> QuerySet[Chargeback]:
    require_staff(actor, SEE)
    return wanted.of(Chargeback.objects.select_related("payment__payer"), person="payment__payer_id")


def entries(actor: Actor, wanted: Wanted, *, kind: str = "", contract: int | None = None) -> QuerySet[Entry]:
    """Entries with their lines; amount, currency, person and gateway are those of at least one line."""
    require_staff(actor, SEE)
    rows = Entry.objects.prefetch_related(
        models.Prefetch("postings", Posting.objects.select_related("debit_account", "credit_account").order_by("line_no"))
    )
    columns = {"kind": kind, "contract_id": contract, "occurred_at__gte": wanted.since, "occurred_at__lt": wanted.before}
    rows = rows.filter(**{column: value for column, value in columns.items() if value not in (None, "")})
    line = {"currency": wanted.currency, "amount__gte": wanted.least, "amount__lte": wanted.most}
    line = {column: value for column, value in line.items() if value not in (None, "")}
    lines = Posting.objects.filter(entry=OuterRef("pk"), **line)
    if wanted.person is not None:
        # named one by one: with a subquery on each side of the "or", MariaDB reads every posting there is
        theirs = list(Account.objects.filter(user_id=wanted.person, kind__in=USER_KINDS).values_list("id", flat=True))
        rows = rows.filter(id__in=Posting.objects.filter(Q(debit_account__in=theirs) | Q(credit_account__in=theirs)).values("entry_id"))
    if wanted.gateway:
        at = list(Account.objects.filter(processor=wanted.gateway).values_list("id", flat=True))
        lines = lines.filter(Q(debit_account__in=at) | Q(credit_account__in=at))
    return rows.filter(Exists(lines)) if line or wanted.gateway else rows


# --- what nobody knows the end of
def unknown_payments(rows: QuerySet[Payment], now: datetime) -> QuerySet[Payment]:
    """Of these, those whose call may or may not have been heard, or whose amount the gateway tells differently."""
    unheard = Q(state="created", created_at__lte=now - GRACE)
    return rows.filter(unheard | Q(state__in=("created", "pending", "failed", "cancelled"), failure_code="amount_differs"))


def unknown_refunds(rows: QuerySet[PaymentRefund], now: datetime) -> QuerySet[PaymentRefund]:
    """The same of refunds: also those that the payer's bank has not answered for RECONCILE_UNSETTLED_DAYS."""
    silent = Q(state="pending", created_at__lte=now - timedelta(days=settings.RECONCILE_UNSETTLED_DAYS))
    return rows.filter(Q(state="created", created_at__lte=now - GRACE) | silent | Q(failure_code="amount_differs"))


def unknown_payouts(rows: QuerySet[Payout], now: datetime) -> QuerySet[Payout]:
    """The same of payouts: also those that are sent for too long for their gateway, or of which it cannot say how they stand, and those that
    failed here and were paid there."""
    unclear = Q(provider_ref__isnull=True) | Q(failure_code="amount_differs") | Q(failure_code__startswith=QUERY_FAILED)
    sent = Q(unclear, sent_at__lte=now - GRACE)
    for name, hours in settings.PAYOUT_UNKNOWN_HOURS.items():
        sent |= Q(provider=name, sent_at__lte=now - timedelta(hours=hours))
    return rows.filter(Q(sent, state="sent") | Q(state="failed", failure_code=PAID_AFTER_ALL))


def unknown_chargebacks(rows: QuerySet[Chargeback]) -> QuerySet[Chargeback]:
    """Of these, those of which the gateway says more than what is booked."""
    return rows.exclude(told_minor=None)


#: what can be asked about again
ASKED: dict[str, type[models.Model]] = {"payment": Payment, "refund": PaymentRefund, "payout": Payout}


@unit_of_work
def ask_again(*, actor: Actor, kind: str, pk: int, reason: str) -> models.Model:
    """Have a gateway asked how an operation stands, now instead of with the next round: by the same key or by a query, never as a new one.

    The answer comes a moment later. Raises NotAllowed("staff_only"), NotFound, InvalidInput without a reason, Conflict for a payout that was
    not sent: there is nothing to ask about.
    """
    require_staff(actor, QUERY)
    row: Any = ASKED[kind]._default_manager.select_for_update().filter(pk=pk).first()
    if row is None:
        raise NotFound(kind)
    if kind == "payout" and row.state not in ("sent", "paid"):
        raise Conflict("nothing_to_ask", f"The payout is {row.state}: the gateway knows nothing of it.")
    audit.record(actor=actor, action=QUERY, obj=row, reason=reason)

    def wake() -> None:
        from .tasks import ask_gateway

        ask_gateway.delay(kind, pk)

    transaction.on_commit(wake, robust=True)  # when the broker is away, the next round asks
    return row


# --- notifications
WEBHOOK_STATES = ("waiting", "failed", "handled")


def webhooks(actor: Actor, wanted: Wanted, *, kind: str = "") -> QuerySet[WebhookEvent]:
    """Stored notifications: `waiting` for their first handling, `failed` with the reason, or `handled`."""
    require_staff(actor, SEE)
    rows = WebhookEvent.objects.all()
    states = {
        "waiting": Q(handled_at__isnull=True, last_error=""),
        "failed": Q(handled_at__isnull=True) & ~Q(last_error=""),
        "handled": Q(handled_at__isnull=False),
    }
    if wanted.state:
        rows = rows.filter(states[wanted.state])
    columns = {"provider": wanted.gateway, "kind": kind, "received_at__gte": wanted.since, "received_at__lt": wanted.before}
    return rows.filter(**{column: value for column, value in columns.items() if value not in (None, "")})


def webhook_refusals(actor: Actor, wanted: Wanted) -> QuerySet[WebhookRefusal]:
    """Notifications that could not be verified."""
    require_staff(actor, SEE)
    columns = {"provider": wanted.gateway, "last_at__gte": wanted.since, "last_at__lt": wanted.before}
    return WebhookRefusal.objects.filter(**{column: value for column, value in columns.items() if value not in (None, "")})


@unit_of_work
def webhook_replay(*, actor: Actor, webhook_id: int, reason: str) -> WebhookEvent:
    """Handle a stored notification once more: what it names is fetched and applied again, which moves nothing twice.

    Raises NotAllowed("staff_only"), NotFound, InvalidInput without a reason.
    """
    require_staff(actor, QUERY)
    row = WebhookEvent.objects.select_for_update().filter(pk=webhook_id).first()
    if row is None:
        raise NotFound("webhook")
    before = {"handled": row.handled_at is not None, "last_error": row.last_error}
    row.handled_at, row.last_error = None, ""
    row.save(update_fields=["handled_at", "last_error"])
    after = {"handled": False, "last_error": ""}
    audit.record(actor=actor, action=QUERY, obj=row, reason=reason, **({"before": before, "after": after} if before != after else {}))

    def wake() -> None:
        from .tasks import handle_webhook

        handle_webhook.delay(webhook_id)

    transaction.on_commit(wake, robust=True)
    return row


# --- what rules found
def risk_holds(
    actor: Actor, *, state: str = "", rule: str = "", shadow: bool | None = None, person: int | None = None
) -> QuerySet[RiskHold]:
    """What the velocity rules held or, in shadow, would have held."""
    require_staff(actor, SEE)
    columns: Mapping[str, Any] = {"state": state, "rule": rule, "shadow": shadow, "user_id": person}
    return RiskHold.objects.select_related("user").filter(**{c: v for c, v in columns.items() if v not in (None, "")})


def risk_figures(actor: Actor, since: datetime) -> list[dict[str, Any]]:
    """For each rule and day since then: how often it held, only counted, was released (a false alarm) or refused."""
    require_staff(actor, SEE)
    of = {name: Count("id", filter=Q(shadow=False, state=name)) for name in ("open", "released", "refused", "lapsed")}
    days = RiskHold.objects.filter(opened_at__gte=since).annotate(day=TruncDate("opened_at")).values("rule", "day")
    return list(days.annotate(counted=Count("id", filter=Q(shadow=True)), **of).order_by("rule", "day"))
