"""Any order of acts on a moderation case, beside a small pure model of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.core.models import Event
from marketplace.jobs.models import Job, Proposal
from marketplace.trust import services
from marketplace.trust.models import Case
from marketplace.trust.states import CASE

WORDS = {"reason_code": "spam", "reason": "So.", "evidence": ["“So.”"]}


@dataclass
class Model:
    """What a case and the post it is about must look like."""

    rich: bool  # removals wait for a second person
    state: str = "flagged"
    post: str = "open"
    claimed: str = ""
    waits: bool = False
    took_part: tuple[str, ...] = ()

    def may(self, verb: str, who: str, act: str) -> bool:
        """Whether the act is possible now."""
        undecided = self.state in ("flagged", "held")
        match verb:
            case "claim":
                return undecided and self.claimed in ("", who)
            case "release":
                return self.claimed == who
            case "decide":
                on_post = {"remove": ("open", "in_review"), "hold": ("open",)}.get(act)
                possible = on_post is None or self.post in on_post or (act == "remove" and self.rich)
                return undecided and not self.waits and self.claimed == who and possible and not (act == "hold" and self.state == "held")
            case "approve" | "send_back":
                return self.waits and who == "admin" and who not in self.took_part
            case "appeal":
                return self.state == "actioned"
            case "uphold" | "overturn":
                return self.state == "appealed" and who not in self.took_part
        return True

    def do(self, verb: str, who: str, act: str) -> None:
        """What it does."""
        match verb:
            case "claim":
                self.claimed = who
            case "release":
                self.claimed = ""
            case "decide":
                self.claimed, self.took_part = "", (who,)
                if act == "remove" and self.rich:
                    self.state, self.waits = "held", True
                else:
                    self._take(act)
            case "approve":
                self.waits, self.took_part = False, (*self.took_part, who)
                self._take("remove")
            case "send_back":
                self._again()
            case "tick" if self.state == "held":
                self.claimed = ""
                self._again()
            case "tick":
                self.claimed = ""
            case "appeal":
                self.state = "appealed"
            case "uphold":
                self.state = "upheld"
            case "overturn":
                self.state = "overturned"
                if self.post == "removed":
                    self.post = "open"

    def _take(self, act: str) -> None:
        self.state = {"allow": "allowed", "hold": "held"}.get(act, "actioned")
        self.post = {"hold": "in_review", "remove": "removed"}.get(act, "open")

    def _again(self) -> None:
        self.state, self.waits, self.took_part, self.post = "flagged", False, (), "open"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "release", "decide", "decide", "decide", "approve", "send_back", "tick", "appeal", "uphold", "overturn"]),
        st.sampled_from(["one", "two", "admin"]),
        st.sampled_from(["allow", "warn", "hold", "remove", "remove"]),
    ),
    max_size=16,
)  # fmt: skip


def run(verb: str, person: Any, act: str, case: Case, about: Any) -> None:
    """The same by the services."""
    if verb == "decide":
        words = {"reason_code": "no_breach"} if act == "allow" else WORDS
        services.case_decide(actor=person, case_id=case.pk, act=act, **words)
    elif verb in ("uphold", "overturn"):
        services.appeal_decide(actor=person, case_id=case.pk, overturn=verb == "overturn", reason="So.")
    elif verb == "appeal":
        services.case_appeal(actor=about, case_id=case.pk, reason="No.")
    elif verb == "send_back":
        services.case_send_back(actor=person, case_id=case.pk, reason="No.")
    elif verb == "tick":
        Case.objects.filter(pk=case.pk, claim_until__isnull=False).update(claim_until=clock.now())
        Case.objects.filter(pk=case.pk, decide_by__isnull=False).update(decide_by=clock.now())
        for _ in range(3):
            services.case_advance(case_id=case.pk)
        assert services.case_advance(case_id=case.pk) is False, "the clock has nothing left to do"
    else:
        verbs = {"claim": services.case_claim, "release": services.case_release, "approve": services.case_approve}
        verbs[verb](actor=person, case_id=case.pk)


@given(steps=STEPS, rich=st.booleans())
@bounded(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_acts_follows_the_model(alice: Any, bob: Any, staff: Any, proposal: Proposal, steps: list[Any], rich: bool) -> None:
    with transaction.atomic(), override_settings(MODERATION_HIGH_VALUE_USD_MINOR=0 if rich else 10**12, MODERATION_RERATE_BPS=5_000):
        people = {"one": staff("moderator"), "admin": staff("admin")}
        people["two"] = type(alice).objects.create_user("two@staff.example.org", "correct horse battery", display_name="Two", is_staff=True)
        people["two"].groups.set(people["one"].groups.all())
        case = services.report_file(actor=bob, subject_type="job", subject_id=proposal.job_id, reason_code="spam").case
        model = Model(rich)
        for verb, who, act in steps:
            possible = model.may(verb, who, act)
            try:
                with transaction.atomic():
                    run(verb, people[who], act, case, alice)
                done = True
            except DomainError:
                done = False
            assert done == possible, (verb, who, act, model)
            if done:
                model.do(verb, who, act)
            case.refresh_from_db()
            post = Job.objects.get(pk=proposal.job_id).state
            assert (case.state, post, case.needs_second, case.content_held) == (
                model.state,
                model.post,
                model.waits,
                model.post == "in_review",
            )
            assert (case.live_key is None) == (case.state not in ("flagged", "held"))
            assert (case.claimed_by_id is None) == (model.claimed == "")
        told = Event.objects.filter(aggregate_type="trust.case", aggregate_id=case.pk).order_by("id").values_list("version", flat=True)
        assert list(told) == list(range(1, len(told) + 1))
        transaction.set_rollback(True)


@pytest.mark.parametrize("state", ["allowed", "upheld", "overturned"])
def test_what_is_final_stays(state: str) -> None:
    assert [a for (s, a) in CASE.transitions if s == state] == []
