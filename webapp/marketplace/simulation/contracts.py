"""Contracts and milestones as rows: each action of a story changes what the services would change, and records what they record.

Actions of all contracts come in one order of time, because money, ids and clearing depend on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from marketplace.contracts.models import Contract, Milestone, Offer, Submission
from marketplace.contracts.states import MILESTONE_ENDED
from marketplace.core.money import Money
from marketplace.disputes.deadlines import response_due
from marketplace.disputes.models import Dispute
from marketplace.trust.models import Review

from . import calibration as cal
from . import texts
from .bids import Bids, Desk, Sent
from .delivery import Action, Story
from .money import Ledger, opaque_key
from .people import currency_of
from .tables import Table, instant, iso

CONTRACT_COLUMNS = (
    "id", "job_id", "proposal_id", "client_id", "freelancer_id", "state", "pricing", "title", "currency", "payee_currency", "total_minor",
    "fee_schedule", "paused_at", "paused_by_staff", "disputed_at", "offered_at", "started_at", "ended_at",
)  # fmt: skip
OFFER_COLUMNS = ("contract_id", "revision", "quote", "made_at", "expires_at", "open_until")
MILESTONE_COLUMNS = (
    "id", "contract_id", "position", "state", "title", "acceptance", "amount_minor", "currency", "due_at", "funded_at", "payment_id",
    "started_at", "submitted_at", "auto_approve_at", "approved_at", "approved_by_clock", "released_at", "clears_at", "cleared_at",
    "refunded_at", "disputed_at", "disputed_from", "decide_by", "resolved_at", "hold_warnings",
)  # fmt: skip
SUBMISSION_COLUMNS = (
    "id",
    "milestone_id",
    "version",
    "note",
    "submitted_at",
    "change_request",
    "unmet",
    "item_notes",
    "change_requested_at",
)
DISPUTE_COLUMNS = (
    "id", "milestone_id", "live_key", "state", "filer_id", "claim", "held_minor", "currency", "to_freelancer_minor", "to_client_minor",
    "opened_at", "decide_by", "settled_at", "decided_by_id", "decision_reason", "settled_by",
)  # fmt: skip
REVIEW_COLUMNS = ("id", "contract_id", "author_id", "subject_id", "author_side", "rating", "text", "written_at", "opened_at")
DECLINED = "I have taken another project in the meantime."
CANCELLED = "We stop here."
GIVEN_BACK = "I cannot finish this as agreed and give the money back."
CLAIM = "What was delivered is not what we agreed on; the acceptance list shows it."
DECISION = "Decided on the submission history and the acceptance list."


@dataclass(slots=True)
class Deal:
    """A contract while it is being told. Rows are dictionaries of the columns above."""

    row: dict[str, Any]
    milestones: list[dict[str, Any]]
    quote: dict[str, Any]
    story: Story | None
    versions: list[int] = field(default_factory=list)
    open_submission: list[dict[str, Any] | None] = field(default_factory=list)
    dispute: dict[str, Any] | None = None
    reviews: dict[str, dict[str, Any]] = field(default_factory=dict)


class Contracts:
    """All contracts of the history. `offer` and `accept` are called by the bids' stories, `act` for every later action in time order."""

    def __init__(self, desk: Desk, ledger: Ledger, bids: Bids) -> None:
        self.desk, self.ledger, self.bids = desk, ledger, bids
        self.tell = desk.journal
        self.texts = desk.streams["work texts"]
        self.deals: list[Deal] = []
        self.by_proposal: dict[int, Deal] = {}
        self.submissions: list[dict[str, Any]] = []
        self.disputes: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.milestone_count = 0
        self.cleared: Callable[[int, str, int], None] = lambda payee, currency, at: None

    # --- offers -----------------------------------------------------------------------------------------------------
    def number(self, sent: list[Sent], stories: dict[int, Story]) -> None:
        """Lay the rows of every offer made, in the order of the offers; `stories` by the Bid's id."""
        for s in sorted((s for s in sent if s.bid.offered and s.bid.offered <= self.desk.until), key=lambda s: (s.bid.offered, s.id)):
            self._lay(s, stories.get(id(s.bid)))

    def _lay(self, s: Sent, story: Story | None) -> None:
        d, j, at, terms = self.desk, s.bid.job, s.bid.offered, self.bids.terms(s)
        pk, hourly = len(self.deals) + 1, bool(d.jobs.hourly[s.bid.job])
        row: dict[str, Any] = dict.fromkeys(CONTRACT_COLUMNS)
        row.update(
            id=pk, job_id=int(d.jobs.id[j]), proposal_id=s.id, client_id=int(d.clients.user_id[d.jobs.client[j]]),
            freelancer_id=int(d.people.user_id[s.bid.freelancer]), state="offered", pricing="hourly" if hourly else "fixed", title=self.bids.words[j][0],
            currency=s.amount.currency, payee_currency=currency_of(d.people.country[s.bid.freelancer]),
            total_minor=sum(t["amount_minor"] for t in terms), fee_schedule=d.prices.schedule.version, offered_at=at, paused_by_staff=False,
        )  # fmt: skip
        milestones = []
        for position, term in enumerate(terms, start=1):
            self.milestone_count += 1
            part: dict[str, Any] = dict.fromkeys(MILESTONE_COLUMNS)
            part.update(
                id=self.milestone_count, contract_id=pk, position=position, state="planned", title=term["title"], acceptance=term["acceptance"],
                amount_minor=term["amount_minor"], currency=s.amount.currency, due_at=at + term["due_in_days"] * cal.DAY,
                approved_by_clock=False, disputed_from="", hold_warnings=0,
            )  # fmt: skip
            milestones.append(part)
        gross = Money(row["total_minor"], row["currency"])
        quote = d.prices.quote(gross, row["payee_currency"], at, max(t["due_in_days"] for t in terms))
        deal = Deal(row, milestones, quote, story, [0] * len(milestones), [None] * len(milestones))
        self.deals.append(deal)
        self.by_proposal[s.id] = deal

    def offered(self, s: Sent, client: int) -> None:
        """The client's offer."""
        deal = self.by_proposal[s.id]
        row = deal.row
        after = {"state": "offered", "total_minor": row["total_minor"], "currency": row["currency"], "milestones": len(deal.milestones)}
        self.tell.tell(s.bid.offered, "contracts.contract", row["id"], "contract.offer", client, after=after)

    def accepted(self, s: Sent) -> None:
        """The freelancer's yes; due dates count from it."""
        deal, at = self.by_proposal[s.id], s.bid.answered
        deal.row["started_at"] = at
        self._move_contract(deal, at, "accept", "active", deal.row["freelancer_id"])
        for part in deal.milestones:
            part["due_at"] += at - s.bid.offered

    def declined(self, s: Sent) -> None:
        """The freelancer's no."""
        deal, at = self.by_proposal[s.id], s.bid.answered
        deal.row["ended_at"] = at
        self._move_contract(deal, at, "decline", "cancelled", deal.row["freelancer_id"], DECLINED)
        self._cancel_planned(deal, at, deal.row["freelancer_id"], DECLINED)

    # --- the work ---------------------------------------------------------------------------------------------------
    def act(self, deal: Deal, action: Action) -> None:
        """One action of a story at its instant."""
        getattr(self, f"_do_{action.verb}")(deal, action)

    def _do_fund_declined(self, deal: Deal, a: Action) -> None:
        part = deal.milestones[a.milestone]
        money = Money(part["amount_minor"], part["currency"])
        nonce = opaque_key("declined", part["id"])
        self.ledger.payment(
            a.at, deal.row["client_id"], money, part["id"], nonce, card="tok_insufficient_funds", failure="insufficient_funds"
        )

    def _do_fund(self, deal: Deal, a: Action) -> None:
        part, client = deal.milestones[a.milestone], deal.row["client_id"]
        money = Money(part["amount_minor"], part["currency"])
        payment = self.ledger.payment(a.at, client, money, part["id"], opaque_key("fund", part["id"]))
        self.ledger.hold(a.at, deal.row["id"], part["id"], client, money)
        part.update(funded_at=a.at, payment_id=payment)
        self._move(deal, a.milestone, a.at, "fund", "funded", client, amount_minor=money.minor, currency=money.currency)

    def _do_start(self, deal: Deal, a: Action) -> None:
        deal.milestones[a.milestone]["started_at"] = a.at
        self._move(deal, a.milestone, a.at, "start", "in_progress", deal.row["freelancer_id"])

    def _do_submit(self, deal: Deal, a: Action) -> None:
        part = deal.milestones[a.milestone]
        deal.versions[a.milestone] = version = deal.versions[a.milestone] + 1
        until = a.at + settings.AUTO_APPROVE_DAYS * cal.DAY
        part.update(submitted_at=a.at, auto_approve_at=until)
        self._move(deal, a.milestone, a.at, "submit", "submitted", deal.row["freelancer_id"], version=version, auto_approve_at=iso(until))
        row = {
            "id": len(self.submissions) + 1, "milestone_id": part["id"], "version": version, "note": texts.pick(self.texts, texts.SUBMISSIONS),
            "submitted_at": a.at, "change_request": "", "unmet": [], "item_notes": [], "change_requested_at": None,
        }  # fmt: skip
        self.submissions.append(row)
        deal.open_submission[a.milestone] = row

    def _do_request_changes(self, deal: Deal, a: Action) -> None:
        deal.milestones[a.milestone]["auto_approve_at"] = None
        version = deal.versions[a.milestone]
        self._move(deal, a.milestone, a.at, "request_changes", "changes_requested", deal.row["client_id"], version=version)
        submission = deal.open_submission[a.milestone]
        if submission is not None:
            submission.update(change_request=texts.pick(self.texts, texts.CHANGES), unmet=[0], change_requested_at=a.at)

    def _do_approve(self, deal: Deal, a: Action) -> None:
        self._release(deal, a, deal.row["client_id"], "client_approval")

    def _do_auto_approve(self, deal: Deal, a: Action) -> None:
        deal.milestones[a.milestone]["approved_by_clock"] = True
        self._release(deal, a, None, f"auto_approval_{settings.AUTO_APPROVE_DAYS}d")

    def _release(self, deal: Deal, a: Action, actor: int | None, rule: str) -> None:
        part, row = deal.milestones[a.milestone], deal.row
        clears = a.at + settings.CLEARING_DAYS * cal.DAY
        part.update(approved_at=a.at, auto_approve_at=None)
        self._move(deal, a.milestone, a.at, "approve", "approved", actor, by_clock=part["approved_by_clock"])
        gross = Money(part["amount_minor"], part["currency"])
        self.ledger.release(a.at, row["id"], part["id"], row["freelancer_id"], gross, row["payee_currency"], actor=actor, rule=rule)
        part.update(released_at=a.at, clears_at=clears)
        amounts: dict[str, Any] = {"amount_minor": gross.minor, "currency": gross.currency}
        self._move(deal, a.milestone, a.at, "release", "released", actor, **amounts, clears_at=iso(clears))
        self._end_if_done(deal, a.at, actor)

    def _do_clear(self, deal: Deal, a: Action) -> None:
        part = deal.milestones[a.milestone]
        amount = self.ledger.clear(a.at, deal.row["id"], part["id"], deal.row["freelancer_id"])
        if amount is None:
            return
        part["cleared_at"] = a.at
        self.tell.tell(a.at, "contracts.milestone", part["id"], "milestone.clear", None, after={"cleared_at": iso(a.at)})
        self.cleared(deal.row["freelancer_id"], amount.currency, a.at)

    def _do_refund(self, deal: Deal, a: Action) -> None:
        part, row = deal.milestones[a.milestone], deal.row
        part.update(refunded_at=a.at, auto_approve_at=None)
        held = self.ledger.held(part["id"], part["currency"])
        amounts = {"amount_minor": held.minor, "currency": held.currency}
        self._move(deal, a.milestone, a.at, "refund", "refunded", row["freelancer_id"], reason=GIVEN_BACK, **amounts)
        self.ledger.refund(
            a.at, row["id"], part["id"], row["client_id"], held, actor=row["freelancer_id"], rule="freelancer_gives_back", reason=GIVEN_BACK
        )
        self._end_if_done(deal, a.at, row["freelancer_id"], GIVEN_BACK)

    def _do_cancel(self, deal: Deal, a: Action) -> None:
        self._cancel_planned(deal, a.at, deal.row["client_id"], CANCELLED)
        self._end_if_done(deal, a.at, deal.row["client_id"], CANCELLED)

    # --- disputes ---------------------------------------------------------------------------------------------------
    def _do_dispute(self, deal: Deal, a: Action) -> None:
        part, row = deal.milestones[a.milestone], deal.row
        filer = row["client_id"] if a.data["by"] == "client" else row["freelancer_id"]
        decide_by = int(response_due(instant(a.at)).timestamp())
        part.update(disputed_from=part["state"], disputed_at=a.at, decide_by=decide_by)
        held = self.ledger.held(part["id"], part["currency"])
        amounts = {"amount_minor": held.minor, "currency": held.currency}
        self._move(deal, a.milestone, a.at, "dispute", "disputed", filer, reason=CLAIM, decide_by=iso(decide_by), **amounts)
        row["disputed_at"] = a.at
        pk = len(self.disputes) + 1
        deal.dispute = dict.fromkeys(DISPUTE_COLUMNS)
        deal.dispute.update(
            id=pk, milestone_id=part["id"], live_key=str(part["id"]), state="opened", filer_id=filer, claim=CLAIM, held_minor=held.minor,
            currency=held.currency, opened_at=a.at, decide_by=decide_by, decision_reason="",
        )  # fmt: skip
        self.disputes.append(deal.dispute)
        after = {"milestone_id": part["id"], "held_minor": held.minor, "currency": held.currency, "decide_by": iso(decide_by)}
        self.tell.tell(a.at, "disputes.dispute", pk, "dispute.open", filer, after=after)

    def _do_settle(self, deal: Deal, a: Action) -> None:
        part, row, dispute = deal.milestones[a.milestone], deal.row, deal.dispute
        if dispute is None:
            raise ValueError("a settlement without a dispute")
        held = self.ledger.held(part["id"], part["currency"])
        to_freelancer = Money(held.minor * round(100 * a.data["share"]) // 100, held.currency)
        to_client = held - to_freelancer
        part.update(resolved_at=a.at, disputed_at=None, decide_by=None, auto_approve_at=None)
        if to_freelancer:
            part["clears_at"] = a.at + settings.CLEARING_DAYS * cal.DAY
        staff = self.desk.staff_id
        split = {"to_freelancer_minor": to_freelancer.minor, "to_client_minor": to_client.minor}
        told = {**split, "milestone_id": part["id"]}
        self.tell.move(a.at, "disputes.dispute", dispute["id"], "dispute", "settle", ("opened", "settled"), staff, reason=DECISION, **told)
        amounts = {**split, "currency": held.currency}
        self._move(deal, a.milestone, a.at, "resolve", "resolved", staff, reason=DECISION, **amounts)
        sides = (row["freelancer_id"], row["client_id"])
        self.ledger.settle(
            a.at, row["id"], part["id"], sides, row["payee_currency"], (to_freelancer, to_client), actor=staff, reason=DECISION
        )
        row["disputed_at"] = None
        self._end_if_done(deal, a.at, staff)
        dispute.update(
            state="settled", live_key=None, to_freelancer_minor=to_freelancer.minor, to_client_minor=to_client.minor, settled_at=a.at,
            decided_by_id=staff, decision_reason=DECISION, settled_by="staff",
        )  # fmt: skip

    # --- reviews ----------------------------------------------------------------------------------------------------
    def _do_review_by_client(self, deal: Deal, a: Action) -> None:
        self._review(deal, a, "client")

    def _do_review_by_freelancer(self, deal: Deal, a: Action) -> None:
        self._review(deal, a, "freelancer")

    def _review(self, deal: Deal, a: Action, side: str) -> None:
        other = "freelancer" if side == "client" else "client"
        pk = len(self.reviews) + 1
        row = {
            "id": pk, "contract_id": deal.row["id"], "author_id": deal.row[f"{side}_id"], "subject_id": deal.row[f"{other}_id"],
            "author_side": side, "rating": a.data["rating"], "text": texts.verdict(self.texts, a.data["rating"]), "written_at": a.at, "opened_at": None,
        }  # fmt: skip
        self.reviews.append(row)
        deal.reviews[side] = row
        self.tell.tell(a.at, "trust.review", pk, "review.write", row["author_id"], after={"contract_id": deal.row["id"]})
        if len(deal.reviews) == 2:
            self._do_open_reviews(deal, a)

    def _do_open_reviews(self, deal: Deal, a: Action) -> None:
        for row in sorted(deal.reviews.values(), key=lambda r: r["id"]):
            row["opened_at"] = a.at
            self.tell.tell(
                a.at, "trust.review", row["id"], "review.open", None, after={"contract_id": deal.row["id"], "subject_id": row["subject_id"]}
            )

    # --- shared -----------------------------------------------------------------------------------------------------
    def _move(self, deal: Deal, k: int, at: int, action: str, state: str, actor: int | None, *, reason: str = "", **extra: Any) -> None:
        part = deal.milestones[k]
        self.tell.move(at, "contracts.milestone", part["id"], "milestone", action, (part["state"], state), actor, reason=reason, **extra)
        part["state"] = state

    def _move_contract(self, deal: Deal, at: int, action: str, state: str, actor: int | None, reason: str = "") -> None:
        before = deal.row["state"]
        self.tell.move(at, "contracts.contract", deal.row["id"], "contract", action, (before, state), actor, reason=reason)
        deal.row["state"] = state

    def _cancel_planned(self, deal: Deal, at: int, actor: int, reason: str) -> None:
        for k, part in enumerate(deal.milestones):
            if part["state"] == "planned":
                self._move(deal, k, at, "cancel", "cancelled", actor, reason=reason)

    def _end_if_done(self, deal: Deal, at: int, actor: int | None, reason: str = "") -> None:
        states = {part["state"] for part in deal.milestones}
        if deal.row["state"] != "active" or not states <= MILESTONE_ENDED:
            return
        deal.row["ended_at"] = at
        paid = states & {"released", "resolved"}
        self._move_contract(deal, at, "complete" if paid else "cancel", "completed" if paid else "cancelled", actor, reason)

    def _offer(self, deal: Deal) -> dict[str, Any]:
        """The clock and the quote of the offer that the contract is or was; every offer of the history was answered in time."""
        at, until = deal.row["offered_at"], deal.row["offered_at"] + settings.OFFER_EXPIRES_DAYS * cal.DAY
        open_until = until if deal.row["state"] == "offered" else None
        clock = {"made_at": at, "expires_at": until, "open_until": open_until}
        return {"contract_id": deal.row["id"], "revision": 1, "quote": deal.quote, **clock}

    def tables(self) -> list[Table]:
        """Contracts, milestones, submissions, disputes and reviews, in the order of their references."""
        sources = (
            (Contract, CONTRACT_COLUMNS, [d.row for d in self.deals]),
            (Offer, OFFER_COLUMNS, [self._offer(d) for d in self.deals]),
            (Milestone, MILESTONE_COLUMNS, [m for d in self.deals for m in d.milestones]),
            (Submission, SUBMISSION_COLUMNS, self.submissions),
            (Dispute, DISPUTE_COLUMNS, self.disputes),
            (Review, REVIEW_COLUMNS, self.reviews),
        )
        return [Table(model, columns, [tuple(row[c] for c in columns) for row in rows]) for model, columns, rows in sources]
