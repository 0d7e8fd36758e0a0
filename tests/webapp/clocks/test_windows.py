"""Windows that are decided on reading: open to the last second and shut at their instant, or the other way round, with nothing left of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from marketplace.accounts import api_tokens, exporting, impersonation
from marketplace.contracts import services as work
from marketplace.core.api import idempotency
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.jobs import credits
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category, Job
from marketplace.payments import fees
from marketplace.payments.models import FeeSchedule
from marketplace.payments.services import payment_start, quote_make
from marketplace.trust import services as trust
from marketplace.trust.models import Case, CheckedText
from marketplace.trust.selectors import may_write
from tests.webapp.clocks.around_work import WORDS, _judged, _reported
from tests.webapp.clocks.table import AUTUMNS, DAY, HOUR, LEAP_DAY, MINUTE, SECOND, SPRINGS, Edge, House, changed, edges_of, now, world
from tests.webapp.clocks.work import after_monday, logged_week, monday_nine, questioned_week
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Window:
    """A row: `arrange` gives what is tried, which raises the code or says no while the window is shut."""

    name: str
    arrange: Callable[[House], Callable[[], object]]
    lasts: timedelta | Callable[[datetime, Edge], datetime]
    #: of the refusal; empty where the answer is just no
    code: str = ""
    lead: timedelta = timedelta(0)
    begins: Callable[[Edge], datetime] | None = None
    #: shut before the instant and open from it on
    opens: bool = False

    def start(self, edge: Edge) -> datetime:
        if self.begins is not None:
            return self.begins(edge)
        assert isinstance(self.lasts, timedelta)
        return (edge.at - self.lasts / 2).replace(microsecond=0) - self.lead

    def instant(self, since: datetime, edge: Edge) -> datetime:
        return since + self.lasts if isinstance(self.lasts, timedelta) else self.lasts(since, edge)


def review(h: House) -> Callable[[], object]:
    contract = work.contract_cancel(actor=h.alice, contract_id=h.get("contract").pk, reason="We stop here.")
    return lambda: trust.review_write(actor=h.alice, contract_id=contract.pk, rating=4, text="Quick.")


def review_offered(h: House) -> Callable[[], object]:
    contract = work.contract_cancel(actor=h.alice, contract_id=h.get("contract").pk, reason="We stop here.")
    return lambda: may_write(h.alice, contract)


def review_change(h: House) -> Callable[[], object]:
    contract = work.contract_cancel(actor=h.alice, contract_id=h.get("contract").pk, reason="We stop here.")
    written = trust.review_write(actor=h.alice, contract_id=contract.pk, rating=4, text="Quick.")
    return lambda: trust.review_edit(actor=h.alice, review_id=written.pk, rating=5, text="Very quick.")


def appeal(h: House) -> Callable[[], object]:
    case = _judged(h, "warn")
    return lambda: trust.case_appeal(actor=h.alice, case_id=case.pk, reason="It is a job.")


def claim_held(h: House) -> Callable[[], object]:
    case, moderator = _reported(h), h.staff("moderator")
    trust.case_claim(actor=moderator, case_id=case.pk)
    return lambda: trust.case_decide(actor=moderator, case_id=case.pk, act="warn", **WORDS)


def claim_of_another(h: House) -> Callable[[], object]:
    case, other = _reported(h), h.staff("admin")
    trust.case_claim(actor=h.staff("moderator"), case_id=case.pk)
    return lambda: trust.case_claim(actor=other, case_id=case.pk)


def report_again(h: House) -> Callable[[], object]:
    h.get("settings").REPORTS_A_DAY = 1
    _reported(h)
    other = jobs.job_create(
        actor=h.alice, title="A poster", description="An isometric picture.", category="web-development", pricing="fixed"
    )
    jobs.job_publish(actor=h.alice, job_id=other.pk)
    return lambda: trust.report_file(actor=h.bob, subject_type="job", subject_id=other.pk, reason_code="spam")


def offer_answer(h: House) -> Callable[[], object]:
    offer = h.get("offer")
    return lambda: work.offer_accept(actor=h.bob, contract_id=offer.pk)


def counter_offer(h: House) -> Callable[[], object]:
    offer, terms = h.get("offer"), [{"title": "All of it", "amount_minor": 110_000, "due_in_days": 20, "acceptance": []}]
    return lambda: work.counter_offer_make(actor=h.bob, contract_id=offer.pk, milestones=terms, message="So.")


def bid(h: House) -> Callable[[], object]:
    job = Job.objects.get(pk=h.get("draft").pk)
    jobs.job_publish(actor=h.alice, job_id=job.pk)
    given = {"cover_letter": "I have done this twice.", "amount_minor": 150_000, "currency": "USD", "delivery_days": 10}
    return lambda: jobs.proposal_submit(actor=h.bob, job_id=job.pk, **given)


def _listed(user: Any, path: str, action: str) -> Callable[[], bool]:
    """Whether the page offers it."""
    return lambda: action in Person(user).get(path).json()["actions"]


def offer_answer_listed(h: House) -> Callable[[], object]:
    return _listed(h.bob, f"contracts/{h.get('offer').pk}", "accept")


def counter_offer_listed(h: House) -> Callable[[], object]:
    return _listed(h.bob, f"contracts/{h.get('offer').pk}", "counter-offers")


def counter_offer_taken_listed(h: House) -> Callable[[], object]:
    offer, terms = h.get("offer"), [{"title": "All of it", "amount_minor": 110_000, "due_in_days": 20, "acceptance": []}]
    work.counter_offer_make(actor=h.bob, contract_id=offer.pk, milestones=terms, message="So.")
    return lambda: "accept" in Person(h.alice).get(f"contracts/{offer.pk}").json()["offer"]["counter_offer"]["actions"]


def counter_offer_taken(h: House) -> Callable[[], object]:
    offer, terms = h.get("offer"), [{"title": "All of it", "amount_minor": 110_000, "due_in_days": 20, "acceptance": []}]
    counter = work.counter_offer_make(actor=h.bob, contract_id=offer.pk, milestones=terms, message="So.")
    return lambda: work.counter_offer_accept(actor=h.alice, counter_offer_id=counter.pk)


def bid_listed(h: House) -> Callable[[], object]:
    h.bob  # noqa: B018  (somebody else sees the post)
    job = jobs.job_publish(actor=h.alice, job_id=h.get("draft").pk)
    return _listed(h.bob, f"jobs/{job.pk}", "propose")


def _invited(h: House) -> Any:
    job = jobs.job_publish(actor=h.alice, job_id=h.get("draft").pk)
    return jobs.job_invite(actor=h.alice, job_id=job.pk, freelancer_id=h.bob.pk)


def invitation(h: House) -> Callable[[], object]:
    invited = _invited(h)
    return lambda: jobs.invitation_accept(actor=h.bob, invitation_id=invited.pk)


def invitation_listed(h: House) -> Callable[[], object]:
    _invited(h)
    return lambda: "accept" in Person(h.bob).get("me/invitations").json()["results"][0]["actions"]


def invitation_bid_listed(h: House) -> Callable[[], object]:
    jobs.invitation_accept(actor=h.bob, invitation_id=_invited(h).pk)
    return lambda: "propose" in Person(h.bob).get("me/invitations").json()["results"][0]["actions"]


def funding_ahead(h: House) -> Callable[[], object]:
    """Due in sixty days: money is held for at most forty-five of them."""
    terms = [{"title": "All of it", "amount_minor": 100_000, "due_in_days": 60, "acceptance": []}]
    offer = work.offer_make(actor=h.alice, proposal_id=h.get("proposal").pk, milestones=terms)
    milestone = work.offer_accept(actor=h.bob, contract_id=offer.pk).milestones.get()
    paid = {"amount": Money(100_000, "USD"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    payment_start(actor_id=h.alice.pk, idempotency_key="wallet", **paid)
    words: dict[str, Any] = {"provider": work.WALLET, "method": {}, "idempotency_key": "early"}
    return lambda: work.milestone_fund(actor=h.alice, milestone_id=milestone.pk, **words)


def hours_logged(h: House) -> Callable[[], object]:
    sheet = logged_week(h)
    return lambda: work.entry_log(actor=h.bob, timesheet_id=sheet.pk, day=sheet.week_start, minutes=10, what="A call.")


def hours_questioned(h: House) -> Callable[[], object]:
    sheet = logged_week(h)
    work.week_submit(actor=h.bob, timesheet_id=sheet.pk)
    asked = [{"entry_id": sheet.entries.get().pk, "reason": "What was done?"}]
    return lambda: work.week_question(actor=h.alice, timesheet_id=sheet.pk, questions=asked)


def hours_answered(h: House) -> Callable[[], object]:
    part = questioned_week(h)
    answers = [{"entry_id": part.entries.get().pk, "text": "It is in the log."}]
    return lambda: work.week_answer(actor=h.bob, timesheet_id=part.pk, answers=answers)


def export_download(h: House) -> Callable[[], object]:
    export = exporting.export_start(actor=h.bob)
    assert exporting.export_make(export_id=export.pk)
    return lambda: exporting.export_open(actor=h.bob, export_id=export.pk)[1].close() or True


def export_asked_again(h: House) -> Callable[[], object]:
    h.get("settings").DATA_EXPORTS_PER_DAY = 1
    assert exporting.export_make(export_id=exporting.export_start(actor=h.bob).pk)
    return lambda: exporting.export_start(actor=h.bob)


def token(h: House) -> Callable[[], object]:
    _, secret = api_tokens.token_create(actor=h.bob, name="Tracker", scopes=["read"])
    return lambda: api_tokens.token_of(secret)


def acting_as_somebody(h: House) -> Callable[[], object]:
    support = h.staff("support")
    found = impersonation.impersonation_start(actor=support, user_id=h.bob.pk, reason="They asked.", session_key="s")
    return lambda: impersonation.running(support, str(found.pk), "s")


def request_taken_over(h: House) -> Callable[[], object]:
    idempotency.claim("user:1", "k", "f")
    return lambda: idempotency.claim("user:1", "k", "f")


def fee_schedule(h: House) -> Callable[[], object]:
    h.alice  # noqa: B018  (the house has people)
    FeeSchedule.objects.create(version="clocks", active_from=now() + 10 * DAY, freelancer_fee_bps=500, tax_bps=0)
    return lambda: fees.schedule().version == "clocks"


def credit_rule(h: House) -> Callable[[], object]:
    words: dict[str, Any] = {"monthly": 60, "bands": [{"up_to_usd_minor": None, "credits": 6}], "hourly": 4, "unknown": 4}
    jobs.credit_rule_publish(version="clocks", active_from=now() + 10 * DAY, **words)
    return lambda: getattr(credits.active_rule(), "version", "") == "clocks"


WINDOWS = [
    Window("review", review, 14 * DAY, "review_window_shut"),
    Window("review-offered", review_offered, 14 * DAY),
    Window("review-change", review_change, 14 * DAY, "review_opened"),
    Window("moderation-appeal", appeal, 14 * DAY, "moderation_appeal_over"),
    Window("moderation-claim", claim_held, 30 * MINUTE, "moderation_not_claimed"),
    Window("moderation-claim-of-another", claim_of_another, 30 * MINUTE, "moderation_claimed", opens=True),
    Window("reports-of-a-day", report_again, 24 * HOUR, "report_limit", opens=True),
    Window("offer-answer", offer_answer, 7 * DAY, "offer_expired"),
    Window("counter-offer", counter_offer, 7 * DAY, "offer_not_open"),
    Window("offer-answer-listed", offer_answer_listed, 7 * DAY),
    Window("counter-offer-listed", counter_offer_listed, 7 * DAY),
    Window("counter-offer-taken", counter_offer_taken, 7 * DAY, "offer_not_open"),
    Window("counter-offer-taken-listed", counter_offer_taken_listed, 7 * DAY),
    Window("bid", bid, 30 * DAY, "job_not_open"),
    Window("bid-listed", bid_listed, 30 * DAY),
    Window("invitation", invitation, 30 * DAY, "job_not_open"),
    Window("invitation-listed", invitation_listed, 30 * DAY),
    Window("invitation-bid-listed", invitation_bid_listed, 30 * DAY),
    Window("funding-ahead", funding_ahead, 15 * DAY, "milestone_fund_impossible", opens=True),
    Window("hours-logged", hours_logged, after_monday(12 * HOUR), "week_closed", begins=monday_nine),
    Window("hours-questioned", hours_questioned, after_monday(5 * DAY - MINUTE), "week_review_over", begins=monday_nine),
    Window("hours-answered", hours_answered, 3 * DAY, "week_answer_late"),
    Window("export-download", export_download, 7 * DAY, "export_expired"),
    Window("export-asked-again", export_asked_again, 24 * HOUR, "export_too_often", opens=True),
    Window("api-token", token, 90 * DAY),
    Window("impersonation", acting_as_somebody, 30 * MINUTE),
    Window("request-taken-over", request_taken_over, MINUTE, "request_in_progress", opens=True),
    Window("fee-schedule", fee_schedule, 10 * DAY, opens=True),
    Window("credit-rule", credit_rule, 10 * DAY, opens=True),
]
CASES = [pytest.param(row, edge, id=f"{row.name}-{edge.name}") for i, row in enumerate(WINDOWS) for edge in edges_of(row.lasts, i)]


@pytest.mark.parametrize(("row", "edge"), CASES)
def test_open_to_the_last_second_and_shut_at_the_instant(house: House, row: Window, edge: Edge) -> None:
    house.open(row.start(edge), edge)
    attempt = row.arrange(house)
    instant = row.instant(now(), edge)
    assert now() <= edge.at < instant, "the edge lies within the window"

    def check(is_open: bool) -> None:
        """It can be done now, which is taken back; or else it is refused, which leaves nothing."""
        if is_open:
            with transaction.atomic():
                assert attempt()
                transaction.set_rollback(True)
            return
        seen = world()
        if row.code:
            with pytest.raises(DomainError) as refused:
                attempt()
            assert refused.value.code == row.code
        else:
            assert not attempt()
        assert changed(seen, world()) == []

    house.go(instant - SECOND)
    check(not row.opens)
    house.go(instant)
    for _ in range(2):
        check(row.opens)
    house.wait(HOUR)
    check(row.opens)


@pytest.mark.parametrize("edge", [SPRINGS[0], AUTUMNS[0], LEAP_DAY], ids=lambda e: e.name)
def test_a_quoted_rate_is_promised_for_a_quarter_of_an_hour(house: House, edge: Edge) -> None:
    house.open(edge.at - 7 * MINUTE, edge)
    assert quote_make(gross=Money(1_000, "USD"), payee_currency="USD").expires_at == edge.at + 8 * MINUTE


@pytest.mark.parametrize("edge", [SPRINGS[1], AUTUMNS[1], LEAP_DAY], ids=lambda e: e.name)
def test_a_warning_counts_for_thirty_days(house: House, edge: Edge) -> None:
    house.get("settings").TEXT_WARNINGS_BEFORE_CASE = 2
    house.open(edge.at - 15 * DAY, edge)
    _warned(house, "A web shop")
    with transaction.atomic():
        house.go(edge.at + 15 * DAY - SECOND)
        _warned(house, "A poster")
        assert Case.objects.count() == 1
        transaction.set_rollback(True)
    house.go(edge.at + 15 * DAY)
    _warned(house, "A poster")
    assert (Case.objects.count(), CheckedText.objects.filter(warned=True).count()) == (0, 2)


def _warned(house: House, title: str) -> None:
    """Alice publishes a post with a telephone number in it."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    text = f"{title} for our street. Call me on +49 151 23456789 before you send anything."
    job = jobs.job_create(actor=house.alice, title=title, description=text, category="web-development", pricing="fixed")
    jobs.job_publish(actor=house.alice, job_id=job.pk, confirm_duplicate=True)
    checked = trust.text_flag(subject_type="job", subject_id=job.pk)
    assert checked is not None and checked.warned
