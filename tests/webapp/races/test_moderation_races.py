"""Several at once on one thing: reports come together in one case, and one moderator has it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from marketplace.accounts.models import User
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.jobs.models import Job, Proposal
from marketplace.trust import services
from marketplace.trust.models import Case, Report
from tests.webapp.races.rendezvous import at_once

pytestmark = pytest.mark.skipif(os.environ.get("OPENLANCE_TEST_DB") == "sqlite", reason="SQLite has one writer at a time: no such race")


def report(user: Any, job_id: int) -> Callable[[], Report]:
    return lambda: services.report_file(actor=user, subject_type="job", subject_id=job_id, reason_code="spam")


def test_reports_at_once_open_one_case(committed_db: None, bob: Any, charlie: Any, proposal: Proposal) -> None:
    people = [bob, charlie, *(User.objects.create_user(f"p{i}@example.org", "correct horse battery", display_name="P") for i in range(2))]
    filed = at_once(*(report(user, proposal.job_id) for user in people))
    assert [r for r in filed if isinstance(r, Exception)] == []
    case = Case.objects.get()
    assert Report.objects.filter(case=case).count() == 4
    assert list(Event.objects.filter(aggregate_type="trust.case").values_list("kind", "version")) == [("moderation.flag", 1)]


def test_one_of_two_moderators_gets_the_claim_and_decides_once(committed_db: None, bob: Any, staff: Any, proposal: Proposal) -> None:
    case = report(bob, proposal.job_id)().case
    one, two = staff("moderator"), staff("admin")
    outcomes = at_once(*(lambda p=p: services.case_claim(actor=p, case_id=case.pk) for p in (one, two)))
    assert sorted(type(o).__name__ for o in outcomes) == ["Case", "Conflict"]
    case.refresh_from_db()
    winner = one if case.claimed_by_id == one.pk else two
    decide = {"act": "remove", "reason_code": "spam", "reason": "So.", "evidence": ["“So.”"]}
    outcomes = at_once(*(lambda: services.case_decide(actor=winner, case_id=case.pk, **decide) for _ in range(2)))
    assert sum(isinstance(o, Exception) for o in outcomes) == 1, "the second finds the claim gone"
    assert not [o for o in outcomes if isinstance(o, Conflict) and "busy" in o.code]
    assert (Job.objects.get(pk=proposal.job_id).state, Event.objects.filter(kind="moderation.remove").count()) == ("removed", 1)
