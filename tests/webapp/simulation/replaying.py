"""A simulated contract taken through the services once more, from what the product's tables say happened, and both compared.

The facts of the original (events in the order of time) name the calls; the business clock is moved to each fact's instant. What the
services then write must equal what the simulation wrote, ids aside.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import time_machine
from django.db.models import Q, QuerySet
from django.test import override_settings

from marketplace.accounts.models import User
from marketplace.contracts import services as work
from marketplace.contracts.models import Contract, Milestone, Submission
from marketplace.core.models import Event
from marketplace.disputes import services as disputes
from marketplace.disputes.models import Dispute
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Job, JobSkill, Proposal
from marketplace.payments.models import Entry, Payment, Posting
from marketplace.trust import services as trust
from marketplace.trust.models import Review

#: names of ids, which differ between the original and its replay
ID_NAMES = {"job_id", "milestone_id", "contract_id", "purpose_id", "proposal_id", "payment_id", "subject_id"}


@dataclass
class Traces:
    """Everything that hangs on one contract."""

    contract: Contract
    milestones: list[Milestone] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, contract: Contract) -> Traces:
        milestones = list(contract.milestones.order_by("position"))
        ids = [m.pk for m in milestones]
        found = cls(
            contract,
            milestones,
            list(Payment.objects.filter(purpose="milestone", purpose_id__in=ids).order_by("id")),
            list(Dispute.objects.filter(milestone__in=ids).order_by("id")),
            list(Review.objects.filter(contract=contract).order_by("id")),
        )
        of_one = [Q(aggregate_type=label, aggregate_id__in=[r.pk for r in rows]) for label, rows in found.aggregates().items() if rows]
        found.events = sorted(Event.objects.filter(functools.reduce(operator.or_, of_one)), key=lambda e: (e.occurred_at, e.pk))
        return found

    def aggregates(self) -> dict[str, list[Any]]:
        return {
            "jobs.proposal": [self.contract.proposal],
            "contracts.contract": [self.contract],
            "contracts.milestone": self.milestones,
            "payments.payment": self.payments,
            "disputes.dispute": self.disputes,
            "trust.review": self.reviews,
        }

    def position(self, event: Event) -> int:
        """Which of its aggregates the event is about, from 0."""
        return [r.pk for r in self.aggregates()[event.aggregate_type]].index(event.aggregate_id)


def _values(row: Any, *, without: tuple[str, ...]) -> dict[str, Any]:
    names = [f.attname for f in row._meta.concrete_fields if f.attname not in ("id", "updated_at", *without)]
    return {name: getattr(row, name) for name in names}


def signature(contract: Contract) -> dict[str, Any]:
    """The whole of a contract's story without ids: equal for equal stories."""
    contract = Contract.objects.select_related("proposal").get(pk=contract.pk)
    t = Traces.of(contract)
    ids = [m.pk for m in t.milestones]
    entries = Entry.objects.filter(subject_type="milestone", subject_id__in=ids) | Entry.objects.filter(
        subject_type="payment", subject_id__in=[p.pk for p in t.payments]
    )
    return {
        "proposal": _values(contract.proposal, without=("job_id", "live_key")) | {"live": contract.proposal.live_key is not None},
        "contract": _values(contract, without=("job_id", "proposal_id")),
        "offer": _values(contract.offer, without=("contract_id",)),
        "milestones": [_values(m, without=("contract_id", "payment_id")) | {"paid": m.payment_id is not None} for m in t.milestones],
        "submissions": [
            _values(s, without=("milestone_id",))
            for s in Submission.objects.filter(milestone__in=ids).order_by("milestone__position", "version")
        ],
        "payments": [_values(p, without=("purpose_id", "idempotency_key", "provider_ref")) for p in t.payments],
        "disputes": [_values(d, without=("milestone_id", "live_key")) | {"live": d.live_key is not None} for d in t.disputes],
        "reviews": [_values(r, without=("contract_id",)) for r in t.reviews],
        "entries": _entries(entries),
        "events": [
            (e.aggregate_type, t.position(e), e.version, e.kind, e.actor_id, e.before, _without_ids(e.after), e.reason, e.occurred_at)
            for e in sorted(t.events, key=lambda e: (e.aggregate_type, t.position(e), e.version))
        ],
    }


def _without_ids(after: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in after.items() if k not in ID_NAMES}


def _entries(entries: QuerySet[Entry]) -> list[dict[str, Any]]:
    found = list(entries.order_by("occurred_at", "id"))
    legs: dict[int, list[tuple[Any, ...]]] = {entry.pk: [] for entry in found}
    for leg in Posting.objects.filter(entry__in=found).select_related("debit_account", "credit_account").order_by("line_no"):
        legs[leg.entry_id].append(_leg(leg))
    return [_entry(entry) | {"legs": legs[entry.pk]} for entry in found]


def _entry(entry: Entry) -> dict[str, Any]:
    shown = _values(entry, without=("idempotency_key", "payload_hash", "subject_id", "contract_id"))
    return shown | {"key": entry.idempotency_key.replace(str(entry.subject_id), "<subject>", 1)}


def _leg(leg: Posting) -> tuple[Any, ...]:
    def side(account: Any) -> tuple[Any, ...]:
        name = account.key if account.milestone_id is None else account.key.replace(str(account.milestone_id), "<milestone>", 1)
        return name, account.kind, account.currency, account.user_id

    return leg.line_no, leg.leg, side(leg.debit_account), side(leg.credit_account), leg.amount, leg.currency, leg.occurred_at


class Replay:
    """Takes one contract's facts through the services; `run` returns the new contract.

    Business time is then the wall clock, which is moved, as in production: an offset that nobody set is not read again at every step.
    """

    def __init__(self, original: Contract) -> None:
        self.original = Contract.objects.select_related("proposal", "job__category", "client", "freelancer").get(pk=original.pk)
        self.was = Traces.of(self.original)
        self.client, self.freelancer = self.original.client, self.original.freelancer
        self.proposal: Proposal | None = None
        self.contract: Contract | None = None
        self.milestones: list[Milestone] = []
        self.dispute: Dispute | None = None
        self.cancelled_at: set[datetime] = set()

    @override_settings(BUSINESS_CLOCK_MOVABLE=False)
    def run(self) -> Contract:
        job = self._job()
        for event in self.was.events:
            act: Callable[[Event], None] | None = getattr(self, "_" + event.kind.replace(".", "_"), None)
            if act is not None:
                with time_machine.travel(event.occurred_at, tick=False):
                    if event.kind == "proposal.submit":
                        self._submit(job)
                    else:
                        act(event)
        assert self.contract is not None
        return self.contract

    def _job(self) -> Job:
        was = self.original.job
        skills = list(JobSkill.objects.filter(job=was).order_by("id").values_list("skill__slug", flat=True))
        with time_machine.travel(was.created_at, tick=False):
            job = jobs.job_create(
                actor=self.client, title=was.title, description=was.description, category=was.category.slug, pricing=was.pricing, skills=skills,
                currency=was.currency, budget_min_minor=was.budget_min_minor, budget_max_minor=was.budget_max_minor,
                duration_days=was.duration_days, experience_level=was.experience_level, screening_questions=was.screening_questions,
                confirm_duplicate=True,
            )  # fmt: skip
        assert was.opened_at is not None
        with time_machine.travel(was.opened_at, tick=False):
            jobs.job_publish(actor=self.client, job_id=job.pk, confirm_duplicate=True)
        return job

    def _submit(self, job: Job) -> None:
        was = self.original.proposal
        self.proposal = jobs.proposal_submit(
            actor=self.freelancer, job_id=job.pk, cover_letter=was.cover_letter, amount_minor=was.amount_minor, currency=was.currency,
            delivery_days=was.delivery_days, milestones=was.milestones, answers=was.answers,
        )  # fmt: skip

    def _proposal_submit(self, event: Event) -> None:
        raise AssertionError("sent by run")

    def _proposal_see(self, event: Event) -> None:
        jobs.proposal_see(actor=self.client, proposal_id=self.proposal.pk)

    def _proposal_shortlist(self, event: Event) -> None:
        jobs.proposal_shortlist(actor=self.client, proposal_id=self.proposal.pk)

    def _proposal_ghost(self, event: Event) -> None:
        assert jobs.proposal_ghost(proposal_id=self.proposal.pk)

    def _proposal_offer(self, event: Event) -> None:
        terms = None
        if self.original.pricing == "hourly":
            accepted = self.original.started_at or self.original.offered_at
            terms = [
                {"title": m.title, "amount_minor": m.amount_minor, "due_in_days": (m.due_at - accepted).days, "acceptance": m.acceptance}
                for m in self.was.milestones
            ]
        self.contract = work.offer_make(actor=self.client, proposal_id=self.proposal.pk, milestones=terms)
        self.milestones = list(self.contract.milestones.order_by("position"))

    def _contract_accept(self, event: Event) -> None:
        work.offer_accept(actor=self.freelancer, contract_id=self.contract.pk)

    def _contract_decline(self, event: Event) -> None:
        self.cancelled_at.add(event.occurred_at)
        work.offer_decline(actor=self.freelancer, contract_id=self.contract.pk, reason=event.reason)

    def _payment_create(self, event: Event) -> None:
        was = self.was.payments[self.was.position(event)]
        k = [m.pk for m in self.was.milestones].index(was.purpose_id)
        work.milestone_fund(
            actor=self.client, milestone_id=self.milestones[k].pk, provider="sandbox", method=was.method, idempotency_key=f"replay-{was.pk}"
        )

    def _milestone_of(self, event: Event) -> int:
        return self.milestones[self.was.position(event)].pk

    def _milestone_start(self, event: Event) -> None:
        work.milestone_start(actor=self.freelancer, milestone_id=self._milestone_of(event))

    def _submission(self, event: Event) -> Submission:
        return Submission.objects.get(milestone=event.aggregate_id, version=event.after["version"])

    def _milestone_submit(self, event: Event) -> None:
        work.milestone_submit(actor=self.freelancer, milestone_id=self._milestone_of(event), note=self._submission(event).note)

    def _milestone_request_changes(self, event: Event) -> None:
        said = self._submission(event)
        work.milestone_request_changes(
            actor=self.client, milestone_id=self._milestone_of(event), text=said.change_request, unmet=said.unmet
        )

    def _milestone_approve(self, event: Event) -> None:
        if event.actor_id is None:
            assert work.milestone_auto_approve(milestone_id=self._milestone_of(event))
        else:
            work.milestone_approve(actor=self.client, milestone_id=self._milestone_of(event))

    def _milestone_clear(self, event: Event) -> None:
        assert work.milestone_clear(milestone_id=self._milestone_of(event))

    def _milestone_refund(self, event: Event) -> None:
        work.milestone_refund(actor=self.freelancer, milestone_id=self._milestone_of(event), reason=event.reason)

    def _milestone_cancel(self, event: Event) -> None:
        if event.occurred_at not in self.cancelled_at:
            self.cancelled_at.add(event.occurred_at)
            work.contract_cancel(actor=self.client, contract_id=self.contract.pk, reason=event.reason)

    def _dispute_open(self, event: Event) -> None:
        was = self.was.disputes[self.was.position(event)]
        k = [m.pk for m in self.was.milestones].index(was.milestone_id)
        filer = self.client if event.actor_id == self.client.pk else self.freelancer
        self.dispute = disputes.dispute_open(actor=filer, milestone_id=self.milestones[k].pk, claim=was.claim)

    def _dispute_settle(self, event: Event) -> None:
        disputes.dispute_settle(
            actor=User.objects.get(pk=event.actor_id), dispute_id=self.dispute.pk, reason=event.reason,
            to_freelancer_minor=event.after["to_freelancer_minor"], to_client_minor=event.after["to_client_minor"],
        )  # fmt: skip

    def _review_write(self, event: Event) -> None:
        was = self.was.reviews[self.was.position(event)]
        author = self.client if was.author_side == "client" else self.freelancer
        trust.review_write(actor=author, contract_id=self.contract.pk, rating=was.rating, text=was.text)

    def _review_open(self, event: Event) -> None:
        trust.reviews_open(contract_id=self.contract.pk)  # opens nothing when both were in: they opened at once
