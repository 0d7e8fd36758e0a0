"""Lists that are not measured beside what they are about: each costs the same number of queries for one row and for many."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.impersonation import impersonation_start
from marketplace.accounts.models import FreelancerProfile
from marketplace.contracts import services as work
from marketplace.contracts.models import Bonus, Milestone
from marketplace.core import clock
from marketplace.core.models import StaffAct
from marketplace.jobs import services as jobs
from marketplace.jobs.models import JobChange
from marketplace.trust import services as trust
from tests.webapp.contracts_cast import contract, fund, funded, offer, planned, proposal, submitted  # noqa: F401 (fixtures)
from tests.webapp.people import Person

MORE = 5


def again(row: Model, **changes: Any) -> None:
    """MORE rows like this one, but for what must differ."""
    for _ in range(MORE):
        twin = type(row)._default_manager.get(pk=row.pk)
        twin.pk, twin._state.adding = None, True
        for name, value in changes.items():
            setattr(twin, name, value)
        twin.save(force_insert=True)


def someone() -> Any:
    user = get_user_model().objects.create_user(f"{uuid.uuid4().hex}@example.org", "x", display_name="Somebody")
    FreelancerProfile.objects.create(user=user, title="Somebody")
    return user


def same(person: Any, path: str, more: Callable[[], None]) -> None:
    """The list has a row now, more than one after `more`, and costs as many queries as before."""

    def read() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as seen:
            answer = Person(person).get(path)
        assert answer.status_code == 200, (path, answer.content)
        return len(answer.json()["results"]), len(seen)

    read()
    rows, before = read()
    assert rows >= 1, path
    more()
    now, after = read()
    assert now >= rows + MORE, path
    assert after == before, f"{path}: {before} queries for {rows} rows, {after} for {now}"


def test_lists_of_a_contract(alice: Any, bob: Any, submitted: Milestone) -> None:  # noqa: F811
    at, now = f"contracts/{submitted.contract_id}", clock.now()
    asked = work.progress_ask(actor=alice, milestone_id=submitted.pk, text="How far?")
    told = work.progress_report(actor=bob, milestone_id=submitted.pk, text="Half of it.", percent=50)
    refund = work.refund_request_open(actor=alice, milestone_id=submitted.pk, reason="Not ours.")
    bonus = Bonus.objects.create(contract=submitted.contract, gross_minor=100, currency="USD", note="Good.", given_at=now, clears_at=now)
    same(alice, f"{at}/work-requests", lambda: again(asked, live_key=None))
    same(alice, f"milestones/{submitted.pk}/progress", lambda: again(told))
    same(alice, f"{at}/refund-requests", lambda: again(refund, live_key=None))
    same(alice, f"{at}/bonus", lambda: again(bonus))


def test_lists_of_an_offer(bob: Any, offer: Any) -> None:  # noqa: F811
    terms = [{"title": "All of it", "amount_minor": 120_000, "due_in_days": 20}]
    made = work.counter_offer_make(actor=bob, contract_id=offer.pk, milestones=terms)
    same(bob, f"contracts/{offer.pk}/counter-offers", lambda: again(made, live_key=None))


def test_lists_around_a_post(alice: Any, bob: Any, charlie: Any, offer: Any) -> None:  # noqa: F811
    category = offer.proposal.job.category.slug
    posts = [
        jobs.job_create(
            actor=alice, title=f"Post {uuid.uuid4().hex}", description=f"{uuid.uuid4().hex} " * 9, category=category, pricing="fixed"
        )
        for _ in range(1 + MORE)
    ]
    for post in posts:
        jobs.job_publish(actor=alice, job_id=post.pk)
    first = posts[0]
    jobs.job_update(actor=alice, job_id=first.pk, title="Quite another title")
    jobs.job_invite(actor=alice, job_id=first.pk, freelancer_id=charlie.pk)
    trust.report_file(actor=bob, subject_type="job", subject_id=first.pk, reason_code="spam")

    def report() -> None:
        for post in posts[1:]:
            trust.report_file(actor=bob, subject_type="job", subject_id=post.pk, reason_code="spam")

    def invite() -> None:
        for _ in range(MORE):
            jobs.job_invite(actor=alice, job_id=first.pk, freelancer_id=someone().pk)

    def be_invited() -> None:
        for post in posts[1:]:
            jobs.job_invite(actor=alice, job_id=post.pk, freelancer_id=charlie.pk)

    same(alice, f"jobs/{first.pk}/history", lambda: again(JobChange.objects.get(job=first)))
    same(alice, f"jobs/{first.pk}/invitations", invite)
    same(charlie, "me/invitations", be_invited)
    same(bob, "me/reports", report)


def test_lists_of_staff(alice: Any, bob: Any, staff: Callable[[str], Any]) -> None:
    admin = staff("admin")
    visit = impersonation_start(actor=admin, user_id=bob.pk, reason="A ticket.", session_key="s")

    def hire() -> None:
        for _ in range(MORE):
            one = someone()
            get_user_model().objects.filter(pk=one.pk).update(is_staff=True)
            one.groups.set(admin.groups.all())

    same(admin, "staff/people", hire)
    same(admin, "staff/impersonations", lambda: again(visit, ended_at=clock.now()))
    same(admin, "audit", lambda: again(StaffAct.objects.all()[0]))
