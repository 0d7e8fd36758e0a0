"""Beat's work: news that did not come by themselves, payouts that are due, and the proof of the ledger. All idempotent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet

from marketplace.core import clock
from marketplace.core.errors import InvalidInput, Unavailable
from marketplace.core.tasks import each_due

from . import fx_file, rates, services
from .models import (
    Chargeback,
    Entry,
    LedgerCheck,
    Payment,
    PaymentRefund,
    PaymentTrace,
    Payout,
    PayoutMethod,
    RiskHold,
    SavedMethod,
    WebhookEvent,
    WebhookRefusal,
)
from .payout_rounds import due_schedule_ids
from .providers import gateways, sandbox_news
from .reconciliation import differences, publishing, runs

log = structlog.get_logger(__name__)

#: an intent younger than this is still being worked on by the request that made it
GRACE = timedelta(seconds=30)
BATCH = 200
#: notifications whose bodies are blanked by one round, and where in the cache stands how far the rounds have come
BODIES = 2_000
BODIES_PLACE = "payments:blanked_bodies"
#: an act, and the rows that it is for
Work = list[tuple[Callable[[int], object], list[int]]]


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def handle_webhook(webhook_id: int) -> None:
    """Handle one stored notification; when this fails or is lost, the poller comes back to it."""
    services.webhook_handle(webhook_id=webhook_id)


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def poll_unsettled() -> int:
    """Ask the gateways about everything that is open and handle what webhooks left behind; returns how many were asked about.

    One that fails does not stop the others, and BATCH that never end do not hide what comes after them: rounds take turns.
    """
    now = clock.now()
    # what is about nothing of ours after all that time stays to be looked at, and is not asked about for ever
    known_by_now = now - timedelta(days=settings.WEBHOOK_RETRY_DAYS)
    unhandled = WebhookEvent.objects.filter(handled_at=None, received_at__lte=now - GRACE)
    # whatever its age, what nobody has tried yet is tried: staff have it handled once more, and the wake-up may be lost
    unhandled = unhandled.filter(Q(received_at__gt=known_by_now) | Q(last_error=""))
    payments = Payment.objects.filter(state__in=("created", "pending"), created_at__lte=now - GRACE)
    given_up = payments.filter(state="pending", created_at__lte=now - timedelta(hours=settings.PAYMENT_WAITS_HOURS))
    refunds = PaymentRefund.objects.filter(state__in=("created", "pending"))
    disputes = Chargeback.objects.filter(state__in=("inquiry", "open"))
    sent = Payout.objects.filter(state="sent")
    due = Payout.objects.filter(Q(state="requested") | Q(state="held", held_until__lte=now))
    work: Work = [
        (lambda i: services.webhook_handle(webhook_id=i), _turn("webhooks", unhandled)),
        (lambda i: services.payment_refresh(payment_id=i), _turn("payments", payments)),
        (_give_up, _turn("payments_given_up", given_up)),
        (lambda i: services.payment_refund_refresh(refund_id=i), _turn("refunds", refunds)),
        (_dispute, _turn("disputes", disputes)),
        (lambda i: services.payout_refresh(payout_id=i), _turn("payouts_sent", sent)),
        (lambda i: services.payout_send(payout_id=i), _turn("payouts_due", due)),
        *_settled(now),
    ]
    for ask, ids in work:
        each_due(ids, partial(_asked, ask), "poll")
    return sum(len(ids) for _, ids in work)


def _settled(now: datetime) -> Work:
    """What may change although it is settled, asked about every few hours: paid payouts that the payee's bank may still send back, and payments
    whose fee the gateway had not told."""
    every = timedelta(hours=settings.PAYOUT_PAID_ASKED_HOURS)
    back_until = now - timedelta(days=settings.PAYOUT_RETURN_DAYS)
    paid = Payout.objects.filter(state="paid", settled_at__gt=back_until, settled_at__lte=now - every)
    fee_until = now - timedelta(days=settings.PAYMENT_FEE_DAYS)
    telling = [name for name, asked in gateways().items() if asked.capabilities().tells_fees]
    of_it = Entry.objects.filter(kind="provider_fee", subject_type="payment", subject_id=OuterRef("pk"))
    deposited = Payment.objects.filter(provider__in=telling, settled_at__gt=fee_until, settled_at__lte=now - GRACE)
    return [
        (lambda i: services.payout_refresh(payout_id=i), _rarely("payouts_paid", paid, every)),
        (lambda i: services.payment_refresh(payment_id=i), _rarely("payments_without_fee", deposited.filter(~Exists(of_it)), every)),
    ]


def _give_up(payment_id: int) -> object:
    """Nobody confirmed it for days: it is cancelled where the gateway can, so that it does not succeed when nobody expects it any more."""
    payment = Payment.objects.get(pk=payment_id)
    # a reserved amount is given up by whoever reserved it, or runs out
    if payment.state != "pending" or payment.capture == "manual":
        return False
    try:
        return services.payment_cancel(payment_id=payment_id)
    except InvalidInput:
        return False


def _dispute(chargeback_id: int) -> object:
    row = Chargeback.objects.get(pk=chargeback_id)
    return services.chargeback_refresh(provider=row.provider, ref=row.provider_ref)


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def poll_people() -> int:
    """Ask the gateways about payees who complete their account and cards that are being saved, and let them forget what was removed; returns
    about how many. Ready accounts are asked about once a day: their news may have been lost."""
    now = clock.now()
    given_up = now - timedelta(hours=settings.PAYMENT_WAITS_HOURS)
    with_gateway = PayoutMethod.objects.exclude(ref=None)
    incomplete = with_gateway.filter(state__in=("onboarding", "restricted"))
    asked_lately = Q(checked_at__gt=now - timedelta(hours=1))
    ready = with_gateway.filter(state="ready", checked_at__lte=now - timedelta(days=1))
    saving = SavedMethod.objects.filter(state="pending", created_at__lte=now - GRACE)
    begun_and_removed = SavedMethod.objects.filter(state="removed", token="", setup_ref__isnull=False, removed_at__gt=given_up)
    work: Work = [
        (lambda i: services.payout_method_refresh(method_id=i), _turn("payees", incomplete.exclude(asked_lately))),
        (lambda i: services.payout_method_refresh(method_id=i), _turn("payees_ready", ready)),
        (lambda i: services.method_refresh(method_id=i), _turn("methods", saving.filter(created_at__gt=given_up))),
        (lambda i: services.method_give_up(method_id=i), _turn("methods_given_up", saving.filter(created_at__lte=given_up))),
        (lambda i: services.method_refresh(method_id=i), _turn("methods_removed", begun_and_removed.filter(brand=""))),
        (
            lambda i: services.method_forget(method_id=i),
            _turn("methods_forgotten", SavedMethod.objects.filter(state="removed").exclude(token="")),
        ),
    ]
    for ask, ids in work:
        each_due(ids, partial(_asked, ask), "poll_people")
    return sum(len(ids) for _, ids in work)


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def deliver_sandbox_news() -> int:
    """Let the sandbox deliver its notifications that are due; returns how many were answered well."""
    return each_due(sandbox_news.due(), sandbox_news.deliver, "sandbox_news")


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def poll_events() -> int:
    """Read the gateways' own lists of events; returns how many had never arrived. `poll_unsettled` handles them.

    A list that cannot be read does not keep the others from being read; its mark stays, so that the next round reads it from there.
    """
    new = 0
    for name in sorted(gateways()):
        try:
            new += services.missed_events(provider=name)
        except Unavailable:
            log.warning("gateway_events_unread", provider=name)
        except Exception:  # whatever one gateway answers, the lists of all others are read
            log.exception("gateway_events_failed", provider=name)
    return new


def _asked(ask: Callable[[int], object], i: int) -> bool:
    return bool(ask(i))


def _turn(name: str, open_work: QuerySet[Any]) -> list[int]:
    """The next BATCH ids after those of the last round, then from the beginning again. A lost place in the cache only begins anew."""
    place = f"payments:poll:{name}"
    after = cache.get(place, 0)
    ids = open_work.order_by("id").values_list("id", flat=True)
    found = list(ids.filter(id__gt=after)[:BATCH])
    if len(found) < BATCH:
        found += ids.filter(id__lte=after)[: BATCH - len(found)]
    cache.set(place, found[-1] if found else 0, None)
    return found


def _rarely(name: str, rows: QuerySet[Any], every: timedelta) -> list[int]:
    """Of the next ones in turn, those that were not asked about for so long. A lost mark in the cache only asks once more."""
    return [i for i in _turn(name, rows) if cache.add(f"payments:poll:{name}:{i}", 1, int(every.total_seconds()))]


@shared_task(acks_late=True, ignore_result=True, time_limit=120)
def ask_gateway(kind: str, pk: int) -> None:
    """Ask a gateway how one payment, refund or payout stands; the next round of `poll_unsettled` does when this is lost."""
    ask: dict[str, Callable[[], object]] = {
        "payment": lambda: services.payment_refresh(payment_id=pk),
        "refund": lambda: services.payment_refund_refresh(refund_id=pk),
        "payout": lambda: services.payout_refresh(payout_id=pk),
    }
    ask[kind]()


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def look_after_rates() -> int:
    """Read the ECB's rates, where FX_RATES_FILE says from where, and tell staff of rates in use that are about to be too old; returns of how
    many. A file that cannot be read leaves the rates as they are, of whose age staff are told in time."""
    if settings.FX_RATES_FILE:
        try:
            new = fx_file.import_configured()
        except Exception:  # whatever the other side answers, the age of what we have is looked at
            log.exception("fx_rates_unread", file=settings.FX_RATES_FILE)
        else:
            log.info("fx_rates_read", new=new)
    return each_due(rates.ageing_ids(clock.now().date()), lambda i: int(services.rate_warn(rate_id=i)), "rate_warn")


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def run_schedules() -> int:
    """Ask for the payouts of schedules that are due; returns how many rounds were done."""
    return each_due(due_schedule_ids(clock.now()), lambda i: int(services.payout_schedule_run(schedule_id=i)), "payout_schedule_run")


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def lapse_risk_holds() -> int:
    """End the holds on payments that nobody decided; returns how many."""
    over = RiskHold.objects.filter(state="open", ends_at__lte=clock.now()).order_by("ends_at", "id").values_list("id", flat=True)
    return each_due(list(over[:BATCH]), lambda i: int(services.risk_hold_lapse(hold_id=i)), "risk_hold_lapse")


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def forget_traces() -> int:
    """Delete what tells cards and devices apart, and what could not be verified, when it is PAYMENT_TRACE_DAYS old, and blank the bodies of
    notifications WEBHOOK_BODY_DAYS after they came; returns how many rows."""
    old = clock.now() - timedelta(days=settings.PAYMENT_TRACE_DAYS)
    gone = PaymentTrace.objects.filter(at__lte=old).delete()[0] + WebhookRefusal.objects.filter(last_at__lte=old).delete()[0]
    return gone + _blank_bodies(clock.now() - timedelta(days=settings.WEBHOOK_BODY_DAYS))


def _blank_bodies(old: datetime) -> int:
    """Blank the bodies of the next BODIES notifications that came by then. They are read in the order in which they came, from where the last
    round ended up to the first that is younger, so that no round reads what is blank; a lost place in the cache only begins anew."""
    after = int(cache.get(BODIES_PLACE, 0))
    rows = WebhookEvent.objects.order_by("id").values_list("id", "received_at")
    found = list(rows.filter(id__gt=after)[:BODIES]) or list(rows[:BODIES])
    due = [pk for pk, _ in takewhile(lambda row: row[1] <= old, found)]
    blanked = WebhookEvent.objects.filter(pk__in=due).exclude(body={}).update(body={})
    if due:
        cache.set(BODIES_PLACE, due[-1], None)
    return blanked


@shared_task(acks_late=True, ignore_result=True, time_limit=600)
def issue_documents() -> int:
    """Write the documents that a lost event left out, and those of a time before there were any; returns for how many entries it tried."""
    missing = services.documents_missing()
    each_due(missing, lambda i: bool(services.documents_issue(entry_id=i)), "issue_documents")
    return len(missing)


@shared_task(acks_late=True, ignore_result=True, time_limit=1800)
def reconcile_due() -> int:
    """Compare the days of gateways that wait for it; returns how many were compared. One that does not answer is tried again by the next round."""
    waiting = runs.due(clock.now())[:BATCH]
    return each_due(range(len(waiting)), lambda i: _compared(*waiting[i]), "reconcile")


def _compared(provider: str, day: date) -> int:
    return services.reconcile(provider=provider, day=day).state == "finished"


@shared_task(acks_late=True, ignore_result=True, time_limit=300)
def alarm_differences() -> int:
    """Tell finance staff of differences that have become old; returns of how many."""
    return each_due(differences.alarms_due(), lambda i: services.difference_alarm(difference_id=i), "difference_alarm")


@shared_task(acks_late=True, ignore_result=True, time_limit=1800)
def publish_totals() -> int:
    """Publish the totals of the newest day that is over; returns 1 when it did."""
    days = publishing.due()
    return each_due(range(len(days)), lambda i: services.totals_publish(day=days[i]), "publish_totals")


@shared_task(acks_late=True, ignore_result=True, time_limit=1800)
def ledger_check() -> None:
    """Run every invariant over the whole ledger, keep what it came to and log what fails; an installation without money is not an alarm."""
    report = services.ledger_check(allow_empty=True)
    now = clock.now()
    outcomes = [{"number": o.number, "statement": o.statement, "violations": len(o.violations)} for o in report.outcomes]
    LedgerCheck.objects.create(
        checked_at=now, entries=report.entries, postings=report.postings, violations=len(report.violations), outcomes=outcomes
    )
    LedgerCheck.objects.filter(checked_at__lt=now - timedelta(days=settings.LEDGER_CHECKS_KEPT_DAYS)).delete()
    for violation in report.violations:
        log.error("ledger_violation", invariant=violation.invariant, rule=violation.rule, row=violation.row, detail=violation.detail)
    log.info("ledger_checked", entries=report.entries, postings=report.postings, violations=len(report.violations))
