"""The clocks of posts, trust, money on its way out, accounts, files, letters and of the house's own machinery."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client as OidcClient
from allauth.idp.oidc.models import Token
from django.core import mail
from django.core.cache import cache
from django.core.files.storage import default_storage

from marketplace.accounts import closing, exporting, impersonation, standing
from marketplace.activity import tasks as activity
from marketplace.activity.buffers import MemoryBuffer
from marketplace.activity.models import FlushedBatch
from marketplace.contracts import services as work
from marketplace.contracts.models import Contract
from marketplace.core import bulk, events, files
from marketplace.core import tasks as core
from marketplace.core.models import BulkAct, Delivery, IdempotencyRecord
from marketplace.core.money import Money
from marketplace.jobs import services as jobs
from marketplace.jobs.models import BidCreditAccount, Job
from marketplace.notifications import services as notifications
from marketplace.notifications.letters import _claimed
from marketplace.notifications.models import InboxItem, Letter
from marketplace.payments import services as payments
from marketplace.payments import tasks as money
from marketplace.payments.models import (
    Difference,
    FxRate,
    PaymentTrace,
    Payout,
    PublicFigure,
    ReconciliationRun,
    RiskHold,
    SandboxNews,
    WebhookEvent,
)
from marketplace.payments.providers import sandbox
from marketplace.trust import services as trust
from marketplace.trust.models import Case
from tests.webapp.clocks.table import DAY, HOUR, MINUTE, SECOND, Armed, Clock, Edge, House, is_set, now, state, told, usd

JOBS, TRUST, MONEY = "marketplace.jobs.tasks", "marketplace.trust.tasks", "marketplace.payments.tasks"
ACCOUNTS, CORE = "marketplace.accounts.tasks", "marketplace.core.tasks"
WORDS = {"reason_code": "spam", "reason": "It is an advertisement.", "evidence": ["“Buy now.”"]}


# --- posts
def post_expiry(h: House) -> Armed:
    proposal = h.get("proposal")
    job = proposal.job
    shows = lambda: (state(job)(), state(proposal)())  # noqa: E731
    return Armed(job.expires_at, lambda: jobs.job_expire(job_id=job.pk), shows, ("open", "submitted"), ("expired", "expired"))


def post_expiry_held(h: House) -> Armed:
    """A moderator held it for five days, which it gets back."""
    case = _judged(h, "hold")
    h.wait(5 * DAY)
    assert trust.case_advance(case_id=case.pk)
    job = Job.objects.get(pk=case.subject_id)
    return Armed(job.expires_at, lambda: jobs.job_expire(job_id=job.pk), state(job), "open", "expired", since=job.opened_at)


def post_expiry_suspended(h: House) -> Armed:
    """Its client was suspended for three days, which it gets back."""
    job, staff = h.get("proposal").job, h.staff("admin")
    standing.user_suspend(actor=staff, user_id=h.alice.pk, reason="We look into something.")
    h.wait(3 * DAY)
    standing.user_restore(actor=staff, user_id=h.alice.pk, reason="We did.")
    due, act = state(job, "expires_at")(), lambda: jobs.job_expire(job_id=job.pk)
    return Armed(due, act, state(job), "open", "expired", since=job.opened_at)


def ghosting(h: House) -> Armed:
    proposal = h.get("proposal")
    act = lambda: jobs.proposal_ghost(proposal_id=proposal.pk)  # noqa: E731
    return Armed(proposal.answer_due_at, act, is_set(proposal, "ghosted_at"), False, True)


def credits(h: House) -> Armed:
    jobs.credit_rule_publish(
        version="clocks", active_from=now(), monthly=60, bands=[{"up_to_usd_minor": None, "credits": 6}], hourly=4, unknown=4
    )
    h.get("proposal")
    account = BidCreditAccount.objects.get(pk=h.bob.pk)
    act = lambda: jobs.credits_grant(freelancer_id=account.pk)  # noqa: E731
    return Armed(account.next_grant_at, act, state(account, "balance"), 56, 60)


def next_month(since: datetime, edge: Edge) -> datetime:
    """The first instant of the calendar month after the edge's, UTC."""
    return datetime(edge.at.year, edge.at.month + 1, 1, tzinfo=UTC)


def _kept_search(h: House, pace: str) -> Armed:
    kept = jobs.saved_search_create(actor=h.bob, name="Shops", parameters={"query": "shop"}, pace=pace)
    h.wait(SECOND)
    job = h.get("draft")
    jobs.job_publish(actor=h.alice, job_id=job.pk)
    core.drain()
    act = lambda: jobs.saved_search_look(search_id=kept.pk)  # noqa: E731
    return Armed(kept.look_at, act, told("saved_search.match"), 0, 1, since=kept.created_at)


def daily_search(h: House) -> Armed:
    return _kept_search(h, "daily")


def instant_search(h: House) -> Armed:
    return _kept_search(h, "instant")


# --- trust
def review_window(h: House) -> Armed:
    contract = work.contract_cancel(actor=h.alice, contract_id=h.get("contract").pk, reason="We stop here.")
    review = trust.review_write(actor=h.alice, contract_id=contract.pk, rating=4, text="Quick.")
    act = lambda: trust.reviews_open(contract_id=contract.pk)  # noqa: E731
    return Armed(None, act, is_set(review, "opened_at"), False, True, since=Contract.objects.get(pk=contract.pk).ended_at)


def _reported(h: House) -> Case:
    """A case on Alice's post, which Bob reported."""
    job = h.get("draft")
    jobs.job_publish(actor=h.alice, job_id=job.pk)
    return trust.report_file(actor=h.bob, subject_type="job", subject_id=job.pk, reason_code="spam").case


def _judged(h: House, act: str) -> Case:
    case, moderator = _reported(h), h.staff("moderator")
    trust.case_claim(actor=moderator, case_id=case.pk)
    return trust.case_decide(actor=moderator, case_id=case.pk, act=act, **WORDS)


def _case(case: Case, due: datetime | None, shows: Any, was: object, becomes: object) -> Armed:
    return Armed(due, lambda: trust.case_advance(case_id=case.pk), shows, was, becomes)


def case_late(h: House) -> Armed:
    case = _reported(h)
    return _case(case, case.decide_by, told("moderation.late"), 0, 1)


def case_claim(h: House) -> Armed:
    case = trust.case_claim(actor=h.staff("moderator"), case_id=_reported(h).pk)
    return _case(case, case.claim_until, is_set(case, "claimed_by"), True, False)


def case_hold(h: House) -> Armed:
    case = _judged(h, "hold")
    shows = lambda: (state(case)(), state(Job.objects.get(pk=case.subject_id))())  # noqa: E731
    return _case(case, case.decide_by, shows, ("held", "in_review"), ("flagged", "open"))


def case_second(h: House) -> Armed:
    case = _judged(h, "suspend")
    return _case(case, case.decide_by, state(case), "held", "flagged")


def case_appeal_late(h: House) -> Armed:
    case = trust.case_appeal(actor=h.alice, case_id=_judged(h, "warn").pk, reason="It is a job.")
    return _case(case, case.decide_by, told("moderation.appeal_late"), 0, 1)


# --- money
def _earned(h: House) -> None:
    """Bob has 360.00 USD available."""
    m = work.milestone_approve(actor=h.alice, milestone_id=h.get("submitted").pk)
    h.wait(5 * DAY)
    assert work.milestone_clear(milestone_id=m.pk)


def _payout(h: House) -> Any:
    _earned(h)
    return payments.payout_request(actor=h.bob, amount=Money(10_000, "USD"), method={"token": "bank_ok"}, idempotency_key="p")


def payout_hold(h: House) -> Armed:
    payout = _payout(h)
    act, shows = lambda: payments.payout_send(payout_id=payout.pk), lambda: (state(payout)(), usd(h.bob)[3])
    return Armed(payout.held_until, act, shows, ("held", 26_000), ("paid", 26_000))


def payout_place_new(h: House) -> Armed:
    """To a place that bob added after another one."""
    payments.payout_method_add(actor=h.bob, provider="sandbox", method={"token": "bank_delayed"})
    _earned(h)
    payout = payments.payout_request(actor=h.bob, amount=Money(10_000, "USD"), method={"token": "bank_ok"}, idempotency_key="p")
    act, shows = lambda: payments.payout_send(payout_id=payout.pk), lambda: (state(payout)(), state(payout, "hold_reason")())
    return Armed(payout.held_until, act, shows, ("held", "method_new"), ("paid", "method_new"))


def payout_round(h: House) -> Armed:
    """Every week what bob has is asked for."""
    _earned(h)
    place = payments.payout_method_add(actor=h.bob, provider="sandbox", method={"token": "bank_ok"})
    row = payments.payout_schedule_put(actor=h.bob, currency="USD", pace="weekly", method_id=place.pk)
    act, shows = lambda: payments.payout_schedule_run(schedule_id=row.pk), lambda: (Payout.objects.count(), usd(h.bob)[3])
    return Armed(row.next_at, act, shows, (0, 36_000), (1, 0))


def monday(since: datetime, edge: Edge) -> datetime:
    """The Monday after it, at six o'clock UTC."""
    day = since.replace(hour=6, minute=0, second=0, microsecond=0) + (7 - since.weekday()) % 7 * DAY
    return day if day > since else day + 7 * DAY


def rate_ages(h: House) -> Armed:
    """A rate set by hand that somebody uses prices for a last day after this one: staff are told."""
    day = now().date()
    row = FxRate.objects.create(base="USD", quote="KES", rate=130, source="admin", as_of=day, fetched_at=now())
    asked = {"amount": Money(5_000, "KES"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    payments.payment_start(actor_id=h.alice.pk, idempotency_key="shillings", **asked)
    return Armed(None, lambda: payments.rate_warn(rate_id=row.pk), told("fx_rate.near_age"), 0, 1)


def day_before_the_last(since: datetime, edge: Edge) -> datetime:
    """Midnight, UTC, of the day before the 30th after it."""
    return since.replace(hour=0, minute=0, second=0, microsecond=0) + 29 * DAY


def risk_hold_over(h: House) -> Armed:
    """Nobody decided about alice's refused payments."""
    asked = {"amount": Money(5_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_declined"}}
    for n in range(8):
        payments.payment_start(actor_id=h.alice.pk, idempotency_key=f"no-{n}", **asked)
    hold = RiskHold.objects.get()
    return Armed(hold.ends_at, lambda: payments.risk_hold_lapse(hold_id=hold.pk), state(hold), "open", "lapsed")


def trace_forgotten(h: House) -> Armed:
    asked = {"amount": Money(5_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    payments.payment_start(actor_id=h.alice.pk, idempotency_key="paid", **asked)
    return Armed(None, None, PaymentTrace.objects.count, 1, 0)


def body_blanked(h: House) -> Armed:
    """A notification that was handled long ago; one that comes later keeps its body."""
    cache.delete(money.BODIES_PLACE)
    news = {"kind": "payment", "object_ref": "x", "body": {"email": "somebody@example.org"}, "received_at": now(), "handled_at": now()}
    stored = WebhookEvent.objects.create(provider="sandbox", event_id="old", **news)
    WebhookEvent.objects.create(provider="sandbox", event_id="young", **{**news, "received_at": now() + 90 * DAY})

    def bodies() -> list[dict[str, str]]:
        return list(WebhookEvent.objects.filter(pk__gte=stored.pk).order_by("pk").values_list("body", flat=True))

    return Armed(None, None, bodies, [news["body"]] * 2, [{}, news["body"]])


def payment_poll(h: House) -> Armed:
    """News of a payment that did not come by itself. A request may still be at it for a while."""
    asked = {"amount": Money(5_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_delayed"}}
    payment = payments.payment_start(actor_id=h.alice.pk, idempotency_key="late", **asked)
    return Armed(None, None, lambda: (state(payment)(), usd(h.alice)[0]), ("pending", 0), ("succeeded", 5_000))


def webhook_poll(h: House) -> Armed:
    asked = {"amount": Money(5_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    payment = payments.payment_start(actor_id=h.alice.pk, idempotency_key="paid", **asked)
    news = {"kind": "payment", "object_ref": payment.provider_ref, "body": {}, "received_at": now()}
    stored = WebhookEvent.objects.create(provider="sandbox", event_id="lost", **news)
    return Armed(None, None, is_set(stored, "handled_at"), False, True)


def _at_the_sandbox(h: House) -> None:
    """A movement that nobody here knows of, of the day before yesterday, and what was due of other days has been done."""
    sandbox.other("charge", Money(-1_200, "USD"))
    h.wait(2 * DAY + 6 * HOUR)
    money.reconcile_due()
    money.publish_totals()


def reconciliation(h: House) -> Armed:
    """A day is compared six hours after its end."""
    _at_the_sandbox(h)
    day = (next_six(now(), h.edge) - DAY).date()
    return Armed(None, None, lambda: ReconciliationRun.objects.filter(day=day, state="finished").count(), 0, 1)


def totals(h: House) -> Armed:
    """A day's totals are published six hours after its end."""
    _earned(h)
    _at_the_sandbox(h)
    day = (next_six(now(), h.edge) - DAY).date()
    return Armed(None, None, lambda: PublicFigure.objects.filter(day=day, measure="escrow").exists(), False, True)


def difference_alarm(h: House) -> Armed:
    _at_the_sandbox(h)
    row = Difference.objects.get()
    act = lambda: payments.difference_alarm(difference_id=row.pk)  # noqa: E731
    return Armed(row.alarm_at, act, told("difference.age"), 0, 1, since=row.opened_at)


def next_six(since: datetime, edge: Edge) -> datetime:
    """The next 06:00 UTC after the edge."""
    six = datetime(edge.at.year, edge.at.month, edge.at.day, 6, tzinfo=UTC)
    return six if six > edge.at else six + DAY


def card_saved(h: House) -> Armed:
    """Its owner proved the card, and the news of it did not come."""
    begun = payments.method_save(actor=h.alice, provider="sandbox", details={"token": "tok_3ds"}, idempotency_key="card")
    payments.sandbox_answer(ref=str(begun.setup_ref), agrees=True)
    return Armed(None, None, state(begun), "pending", "ready")


def card_given_up(h: House) -> Armed:
    begun = payments.method_save(actor=h.alice, provider="sandbox", details={"token": "tok_3ds"}, idempotency_key="card")
    return Armed(None, lambda: payments.method_give_up(method_id=begun.pk), state(begun), "pending", "failed")


def sandbox_told(h: House) -> Armed:
    """A delayed payment is notified half a minute later; here nobody answers."""
    asked = {"amount": Money(5_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_delayed"}}
    payments.payment_start(actor_id=h.alice.pk, idempotency_key="late", **asked)
    return Armed(None, None, lambda: SandboxNews.objects.get().attempts, 0, 1)


# --- accounts
def impersonation_end(h: House) -> Armed:
    found = impersonation.impersonation_start(actor=h.staff("support"), user_id=h.bob.pk, reason="They asked.", session_key="s")
    act = lambda: impersonation.expire(impersonation_id=found.pk)  # noqa: E731
    return Armed(found.expires_at, act, is_set(found, "ended_at"), False, True)


def token_forgotten(h: House) -> Armed:
    client = OidcClient.objects.create(id="dashboards", name="Dashboards", secret="s")
    kind = Token.Type.ACCESS_TOKEN
    token = Token.objects.create(client=client, user=h.bob, type=kind, hash="h", created_at=now(), expires_at=now() + 8 * HOUR)
    return Armed(token.expires_at, None, Token.objects.count, 1, 0)


def export_expiry(h: House) -> Armed:
    export = exporting.export_start(actor=h.bob)
    assert exporting.export_make(export_id=export.pk)
    export.refresh_from_db()
    name = export.stored_as
    shows = lambda: (state(export)(), default_storage.exists(name))  # noqa: E731
    return Armed(export.expires_at, lambda: exporting.export_expire(export_id=export.pk), shows, ("ready", True), ("expired", False))


def export_lease(h: House) -> Armed:
    """A worker took it up and died."""
    export = exporting.export_start(actor=h.bob)
    assert exporting._take(export_id=export.pk) == 1
    export.refresh_from_db()
    return Armed(export.due_at, lambda: exporting.export_make(export_id=export.pk), state(export), "running", "ready")


def export_again(h: House) -> Armed:
    """A part of it failed; it is tried again a minute later."""
    export = exporting.export_start(actor=h.bob)
    assert exporting._take(export_id=export.pk) == 1
    exporting._give_back(export_id=export.pk, attempt=1, error="OSError")
    export.refresh_from_db()
    return Armed(export.due_at, lambda: exporting.export_make(export_id=export.pk), state(export), "queued", "ready")


def closing_grace(h: House) -> Armed:
    found = closing.closing_request(actor=h.bob)
    shows = lambda: (state(found)(), state(h.bob, "is_active")())  # noqa: E731
    act = lambda: closing.closing_advance(closing_id=found.pk)  # noqa: E731
    return Armed(found.closes_at, act, shows, ("pending", True), ("erased", False))


def closing_put_off(h: House) -> Armed:
    """Something kept it open when its grace was over, and is gone since."""
    found = closing.closing_request(actor=h.bob)
    h.wait(14 * DAY)
    offer = h.get("offer")
    assert closing.closing_advance(closing_id=found.pk) == 0
    work.contract_cancel(actor=h.alice, contract_id=offer.pk, reason="No.")
    found.refresh_from_db()
    return Armed(found.closes_at, lambda: closing.closing_advance(closing_id=found.pk), state(found), "pending", "erased")


# --- files, answers, batches
def upload_forgotten(h: House) -> Armed:
    stored = files.file_upload(actor=h.bob, name="plan.txt", content_type="text/plain", content=io.BytesIO(b"plan"))
    return Armed(None, None, lambda: default_storage.exists(stored.stored_as), True, False)


def answer_forgotten(h: House) -> Armed:
    IdempotencyRecord.objects.create(actor_key="user:1", key="k", request_hash="h", claimed_at=now())
    return Armed(None, None, IdempotencyRecord.objects.count, 1, 0)


def batch_forgotten(h: House) -> Armed:
    own = MemoryBuffer()  # that of the process may hold what other tests have captured
    h.get("monkeypatch").setattr(activity, "buffer", lambda: own)
    FlushedBatch.objects.create(name="batch", records=1)
    return Armed(None, None, FlushedBatch.objects.count, 1, 0)


# --- deliveries and acts on many objects
def _delivery(h: House) -> tuple[Delivery, list[int]]:
    """One that nobody has tried yet, and what its handler saw; the first call of the handler fails."""
    seen: list[int] = []

    def handler(event: Any) -> None:
        seen.append(event.pk)
        if len(seen) == 1:
            raise OSError("the first time it fails")

    core.drain()
    h.get("monkeypatch").setitem(events._handlers, "test.clock", {"test.handler": handler})
    return Delivery.objects.get(event=events.record(aggregate=h.alice, kind="test.clock", actor_id=None)), seen


def delivery_again(h: House) -> Armed:
    delivery, _ = _delivery(h)
    assert core.deliver_one(delivery.pk) is False
    delivery.refresh_from_db()
    return Armed(delivery.next_try_at, lambda: core.deliver_one(delivery.pk), state(delivery), "pending", "done")


def delivery_lease(h: House) -> Armed:
    """A worker claimed it and died."""
    delivery, seen = _delivery(h)
    seen.append(0)
    assert core._claim(delivery.pk) is not None
    delivery.refresh_from_db()
    return Armed(delivery.next_try_at, lambda: core.deliver_one(delivery.pk), state(delivery), "claimed", "done")


def bulk_lease(h: House) -> Armed:
    """A worker claimed an act on many objects and died."""
    payout = _payout(h)
    act = bulk.start(actor=h.staff("finance"), name="payout_refuse", object_ids=[payout.pk], reason="The bank is wrong.")
    until = now() + 5 * MINUTE
    BulkAct.objects.filter(pk=act.pk).update(claimed_until=until)
    return Armed(until, lambda: bulk.work_off(act.pk), lambda: (state(payout)(), usd(h.bob)[3]), ("held", 26_000), ("failed", 36_000))


# --- letters
def _letter(h: House, **preference: Any) -> Letter:
    """Bob lives where the edge is, and something has just happened."""
    bob = h.bob
    bob.time_zone = h.edge.zone
    bob.save(update_fields=["time_zone"])
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    if preference:
        notifications.preference_put(actor=bob, **preference)
    item = InboxItem.objects.create(user=bob, event_id=1, kind="milestone.fund", text="“B” is funded.", created_at=now())
    notifications._write(item)
    return Letter.objects.get(item=item)


def _sent(letter: Letter, was: str = "waiting") -> Armed:
    shows = lambda: (state(letter)(), len(mail.outbox))  # noqa: E731
    return Armed(letter.due_at, None, shows, (was, 0), ("sent", 1))


def digest(h: House) -> Armed:
    return _sent(_letter(h, pace="daily", digest_at=8 * 60))


def quiet_hours(h: House) -> Armed:
    return _sent(_letter(h, quiet_from=22 * 60, quiet_to=7 * 60))


def letter_lease(h: House) -> Armed:
    """A postman took it up and died."""
    letter = _letter(h)
    assert _claimed([letter.pk])
    letter.refresh_from_db()
    return _sent(letter, "sending")


def letter_again(h: House) -> Armed:
    """The mail server was away."""
    letter, settings = _letter(h), h.get("settings")
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", 9
    assert notifications.send_due() == 0
    settings.EMAIL_BACKEND = backend
    letter.refresh_from_db()
    return _sent(letter)


def night(hours: int) -> Any:
    """That many hours by the clock on the wall, over the night of the edge."""
    return lambda since, edge: since + hours * HOUR + edge.longer


CLOCKS = [
    Clock("post-expiry", f"{JOBS}.expire_due", post_expiry, 30 * DAY, what="job_expire"),
    Clock("post-expiry-held", f"{JOBS}.expire_due", post_expiry_held, 35 * DAY),
    Clock("post-expiry-suspended", f"{JOBS}.expire_due", post_expiry_suspended, 33 * DAY),
    Clock("ghosting", f"{JOBS}.ghost_due", ghosting, 14 * DAY, what="proposal_ghost"),
    Clock("bid-credits", f"{JOBS}.grant_due", credits, next_month, begins=lambda e: e.at - 12 * HOUR, what="credits_grant"),
    Clock("saved-search-daily", f"{JOBS}.look_through_searches", daily_search, 24 * HOUR, what="saved_search_look"),
    Clock("saved-search-instant", f"{JOBS}.look_through_searches", instant_search, 5 * MINUTE, later=4 * MINUTE),
    Clock("review-window", f"{TRUST}.open_due", review_window, 14 * DAY, what="review_open"),
    Clock("case-late", f"{TRUST}.advance_due", case_late, 3 * DAY, what="case_advance"),
    Clock("case-claim", f"{TRUST}.advance_due", case_claim, 30 * MINUTE),
    Clock("case-hold", f"{TRUST}.advance_due", case_hold, 5 * DAY),
    Clock("case-second-approval", f"{TRUST}.advance_due", case_second, 2 * DAY),
    Clock("case-appeal-late", f"{TRUST}.advance_due", case_appeal_late, 7 * DAY),
    Clock("payout-hold", f"{MONEY}.poll_unsettled", payout_hold, 24 * HOUR, lead=5 * DAY, what="poll"),
    Clock("payout-place-new", f"{MONEY}.poll_unsettled", payout_place_new, 72 * HOUR, lead=5 * DAY),
    Clock(
        "payout-round",
        f"{MONEY}.run_schedules",
        payout_round,
        monday,
        begins=lambda e: e.at - 12 * HOUR - 5 * DAY,
        what="payout_schedule_run",
    ),
    Clock("rate-age", f"{MONEY}.look_after_rates", rate_ages, day_before_the_last, begins=lambda e: e.at - 10 * DAY, what="rate_warn"),
    Clock("risk-hold", f"{MONEY}.lapse_risk_holds", risk_hold_over, 72 * HOUR, what="risk_hold_lapse"),
    Clock("payment-trace", f"{MONEY}.forget_traces", trace_forgotten, 90 * DAY),
    Clock("notification-body", f"{MONEY}.forget_traces", body_blanked, 90 * DAY),
    Clock("payment-poll", f"{MONEY}.poll_unsettled", payment_poll, 30 * SECOND),
    Clock("webhook-poll", f"{MONEY}.poll_unsettled", webhook_poll, 30 * SECOND),
    Clock("reconciliation", f"{MONEY}.reconcile_due", reconciliation, next_six, begins=lambda e: e.at - 54 * HOUR, what="reconcile"),
    Clock("difference-alarm", f"{MONEY}.alarm_differences", difference_alarm, 2 * DAY, lead=2 * DAY + 6 * HOUR, what="difference_alarm"),
    Clock("totals", f"{MONEY}.publish_totals", totals, next_six, begins=lambda e: e.at - 174 * HOUR, what="publish_totals"),
    Clock("card-saving-poll", f"{MONEY}.poll_people", card_saved, 30 * SECOND, what="poll_people"),
    # until then it is asked about at every round
    Clock("card-saving-given-up", f"{MONEY}.poll_people", card_given_up, 72 * HOUR, done=None),
    Clock(
        "sandbox-news",
        f"{MONEY}.deliver_sandbox_news",
        sandbox_told,
        30 * SECOND,
        done=0,
        what="sandbox_news",
        later=4 * SECOND,
    ),
    Clock("impersonation", f"{ACCOUNTS}.end_due_impersonations", impersonation_end, 30 * MINUTE),
    Clock("dashboard-token", f"{ACCOUNTS}.forget_expired_tokens", token_forgotten, 8 * HOUR),
    Clock("export-expiry", f"{ACCOUNTS}.sweep_exports", export_expiry, 7 * DAY),
    Clock("export-lease", f"{ACCOUNTS}.sweep_exports", export_lease, 10 * MINUTE),
    Clock("export-again", f"{ACCOUNTS}.sweep_exports", export_again, MINUTE),
    Clock("account-closing", f"{ACCOUNTS}.close_due", closing_grace, 14 * DAY, done=2),
    Clock("account-closing-put-off", f"{ACCOUNTS}.close_due", closing_put_off, DAY, lead=14 * DAY, done=2),
    Clock("upload-forgotten", f"{CORE}.forget_uploads", upload_forgotten, 48 * HOUR),
    Clock("answer-forgotten", f"{CORE}.forget_answers", answer_forgotten, 30 * DAY),
    Clock("batch-forgotten", "marketplace.activity.tasks.flush", batch_forgotten, 2 * DAY, done=0),
    Clock("delivery-again", f"{CORE}.deliver_events", delivery_again, 2 * SECOND),
    Clock("delivery-lease", f"{CORE}.deliver_events", delivery_lease, 5 * MINUTE),
    Clock("bulk-act-lease", f"{CORE}.work_bulk_acts", bulk_lease, 5 * MINUTE, lead=5 * DAY),
    Clock("letter-digest", "marketplace.notifications.tasks.send_letters", digest, night(12), begins=lambda e: e.evening_before(20)),
    Clock("letter-quiet", "marketplace.notifications.tasks.send_letters", quiet_hours, night(8), begins=lambda e: e.evening_before(23)),
    Clock("letter-lease", "marketplace.notifications.tasks.send_letters", letter_lease, 10 * MINUTE),
    Clock("letter-again", "marketplace.notifications.tasks.send_letters", letter_again, 2 * MINUTE),
]
