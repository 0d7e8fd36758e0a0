"""Posts and proposals as rows: each post's story from draft to end, each bid's receipt, and the facts they record.

Belongs here: what `jobs.services` would have written. Not here: chance beyond when a client opens and sorts the bids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from django.conf import settings

from marketplace.core.money import Money, split_minor
from marketplace.jobs.models import Job, JobSkill, Proposal

from . import calibration as cal
from . import texts
from .exposure import Bid, History, step_days
from .fraud import post_words
from .journal import Journal
from .people import LEVELS, Clients, Freelancers, currency_of
from .posts import DRAFT, REMOVED, REVIEW, Jobs, minor_of
from .prices import Prices
from .skills import SkillMap
from .streams import Streams, around
from .tables import Columns, MadeTable, Table

JOB_COLUMNS = (
    "id", "client_id", "state", "title", "description", "category_id", "pricing", "currency", "budget_min_minor", "budget_max_minor",
    "duration_days", "experience_level", "location_country", "visibility", "preferred_start", "screening_questions", "attributes", "raw_skills",
    "source", "source_key", "source_published_at", "proposal_count", "created_at", "opened_at", "expires_at", "ended_at",
    "held_at", "moderation_reason",
)  # fmt: skip
PROPOSAL_COLUMNS = (
    "id", "job_id", "freelancer_id", "state", "live_key", "cover_letter", "amount_minor", "currency", "delivery_days", "milestones", "answers",
    "quote", "bid_credits", "submitted_at", "first_seen_at", "shortlisted_at", "offered_at", "decided_at", "outcome_reason",
    "answer_due_at", "ghosted_at",
)  # fmt: skip
DECLINE_REASONS = (
    "The price is above our budget.",
    "We need more experience with the main skill.",
    "The dates do not fit.",
    "Another bid fits better.",
)
FILLED_REASON = "The client hired another freelancer."
MODERATION_REASONS = {"in_review": "held for review", "removed": "It broke the rules for posts."}


@dataclass(slots=True)
class Sent:
    """A proposal on its way through its states."""

    id: int
    bid: Bid
    amount: Money
    days: int
    state: str = "submitted"
    seen: int = 0
    shortlisted: int = 0
    offered: int = 0
    decided: int = 0
    reason: str = ""
    ghosted: int = 0

    @property
    def answer_due(self) -> int:
        return self.bid.at + settings.GHOSTED_AFTER_DAYS * cal.DAY


@dataclass(slots=True)
class Desk:
    """What the rows of posts and bids are made from and go to."""

    streams: Streams
    skills: SkillMap
    people: Freelancers
    clients: Clients
    jobs: Jobs
    history: History
    prices: Prices
    journal: Journal
    until: int
    staff_id: int


@dataclass(slots=True)
class _Lookup:
    """What every bid asks for again, as plain values by position."""

    freelancer_id: list[int]
    freelancer_currency: list[str]
    client_id: list[int]  # by post
    currency: list[str]  # by post
    job_id: list[int]
    hourly: list[bool]
    held: list[list[int]]  # skills by freelancer
    asked: list[list[int]]  # skills by post
    steps: list[tuple[list[int], list[int]]]  # by post: days of each step, and when each is due

    @classmethod
    def of(cls, d: Desk) -> _Lookup:
        jobs, owner = d.jobs, d.jobs.client
        steps = []
        for duration, weights in zip(jobs.duration_days.tolist(), jobs.weights, strict=True):
            days = step_days(duration, weights)
            steps.append((days, list(accumulate(n + cal.STEP_SLACK_DAYS for n in days))))
        return cls(
            freelancer_id=d.people.user_id.tolist(), freelancer_currency=[currency_of(c) for c in d.people.country.tolist()],
            client_id=d.clients.user_id[owner].tolist(), currency=[currency_of(c) for c in d.clients.country[owner].tolist()],
            job_id=jobs.id.tolist(), hourly=jobs.hourly.tolist(), held=[np.flatnonzero(row).tolist() for row in d.people.skills],
            asked=[np.flatnonzero(row).tolist() for row in jobs.skills], steps=steps,
        )  # fmt: skip


class Bids:
    """Makes the tables of posts and proposals; `sent` maps a bid to its proposal for the contracts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.job_rows = Table(Job, JOB_COLUMNS)
        self.skill_rows = Table(JobSkill, ("id", "job_id", "skill_id"))
        self.at_hand = _Lookup.of(desk)
        self.sent: dict[int, Sent] = {}  # id of the Bid object
        self.texts = desk.streams["texts"]
        self.reading = desk.streams["reading"]
        self.words = self._words()
        self.counts = np.zeros(len(desk.jobs), dtype=np.int64)

    # --- posts ------------------------------------------------------------------------------------------------------
    def _words(self) -> list[tuple[str, str]]:
        """Title and description of every post, in order."""
        found: list[tuple[str, str]] = []
        d = self.desk
        for j in range(len(d.jobs)):
            copied = int(d.jobs.copy_of[j])
            if copied >= 0:
                found.append(found[copied])
                continue
            names = [d.skills.names[s] for s in self.at_hand.asked[j]]
            order = self.texts.permutation(len(names))
            field = d.skills.categories[d.jobs.category[j]][2]
            title, description = texts.post(self.texts, [names[i] for i in order], LEVELS[d.jobs.level[j]], field)
            found.append((title, post_words(d.jobs.fraud[j], description)))
        return found

    def end_of(self, j: int) -> tuple[str, int]:
        """How and when a post ended by the end of the history: ("open", 0) while it is open."""
        d, jobs = self.desk, self.desk.jobs
        if jobs.fate[j] == DRAFT:
            return "draft", 0
        if jobs.fate[j] == REVIEW:
            return "in_review", 0
        ended, expires = int(d.history.ended[j]), int(jobs.opened[j]) + settings.JOB_OPEN_DAYS * cal.DAY
        if 0 < ended <= d.until:
            hired = any(b.accepted for b in d.history.bids[j])
            return "filled" if hired else "removed" if jobs.fate[j] == REMOVED else "closed", ended
        waiting = any(b.offered and b.offered <= d.until < b.answered for b in d.history.bids[j])
        return ("open", 0) if expires + 300 > d.until or waiting else ("expired", expires + 30)

    def run(
        self,
        offered: Callable[[Sent, int], None],
        accepted: Callable[[Sent], None],
        declined: Callable[[Sent], None],
        told: Callable[[int], None] = lambda posts: None,
    ) -> None:
        """All posts with their bids in order of the posts; contracts are told of offers and answers at their place in the story."""
        words = self.words
        for j in range(len(self.desk.jobs)):
            told(j)
            state, ended = self.end_of(j)
            self._post(j, words[j], state, ended)
            self._story(j, state, ended, offered, accepted, declined)

    def number(self) -> None:
        """Give every bid its proposal: ids in the order of sending."""
        d = self.desk
        alive = sorted((b for bids in d.history.bids for b in bids if b.at <= d.until), key=lambda b: (b.at, b.freelancer, b.job))
        for n, bid in enumerate(alive, start=1):
            self.sent[id(bid)] = self._bid(n, bid)
        self.counts = np.bincount([bid.job for bid in alive], minlength=len(d.jobs))

    def proposals(self) -> MadeTable:
        """The proposals' rows as they are when they are written."""
        sent = list(self.sent.values())

        def make(start: int, stop: int) -> Columns:
            return list(zip(*(self._row(s) for s in sent[start:stop]), strict=True))

        return MadeTable(Proposal, PROPOSAL_COLUMNS, make=make, count=len(sent))

    def _post(self, j: int, words: tuple[str, str], state: str, ended: int) -> None:
        d, jobs = self.desk, self.desk.jobs
        pk, client = int(jobs.id[j]), int(d.clients.user_id[jobs.client[j]])
        opened = int(jobs.opened[j]) if state not in ("draft", "in_review") else 0
        expires = opened + settings.JOB_OPEN_DAYS * cal.DAY if opened else None
        low, high = (None, None) if jobs.low[j] == 0 else (int(jobs.low[j]), int(jobs.high[j]))
        self.job_rows.add(
            pk, client, state, words[0], words[1], d.skills.categories[jobs.category[j]][0], "hourly" if jobs.hourly[j] else "fixed",
            currency_of(d.clients.country[jobs.client[j]]), low, high, int(jobs.duration_days[j]), LEVELS[jobs.level[j]], "",
            "invited" if jobs.invited[j] else "public", None, jobs.questions[j], {}, [], "", None, None, int(self.counts[j]),
            int(jobs.created[j]), opened or None, expires, ended or None, int(jobs.opened[j]) if state == "in_review" else None,
            MODERATION_REASONS.get(state, ""),
        )  # fmt: skip
        for s in self.at_hand.asked[j]:
            self.skill_rows.add(len(self.skill_rows) + 1, pk, int(d.skills.ids[s]))
        tell = d.journal
        tell.tell(int(jobs.created[j]), "jobs.job", pk, "job.create", client, after={"state": "draft", "title": words[0]})
        if state == "in_review":
            extra = {"reasons": ["unusual_post"], "source": "simulation"}
            tell.move(
                int(jobs.opened[j]),
                "jobs.job",
                pk,
                "job",
                "hold",
                ("draft", "in_review"),
                client,
                reason=MODERATION_REASONS[state],
                **extra,
            )
        elif state != "draft":
            tell.move(opened, "jobs.job", pk, "job", "publish", ("draft", "open"), client)

    # --- bids -------------------------------------------------------------------------------------------------------
    def _bid(self, pk: int, bid: Bid) -> Sent:
        jobs, at_hand, j = self.desk.jobs, self.at_hand, bid.job
        worth = float(jobs.rate_usd[j] if at_hand.hourly[j] else jobs.size_usd[j])
        sent = Sent(pk, bid, Money(minor_of(worth * bid.price, at_hand.currency[j]), at_hand.currency[j]), at_hand.steps[j][1][-1])
        # the rate that the quote needs is stored when the first bid asks for it
        self.desk.prices.need(sent.amount.currency, at_hand.freelancer_currency[bid.freelancer], bid.at)
        return sent

    def quote(self, s: Sent) -> dict[str, Any]:
        """What the proposal promised to its freelancer when it was sent."""
        return self.desk.prices.quote(s.amount, self.at_hand.freelancer_currency[s.bid.freelancer], s.bid.at, s.days)

    def terms(self, s: Sent) -> list[dict[str, Any]]:
        """The steps that the proposal offers."""
        days, due = self.at_hand.steps[s.bid.job]
        return [
            {
                "title": texts.STEPS[k] if len(days) > 1 else "The whole work",
                "amount_minor": a,
                "due_in_days": due[k],
                "acceptance": list(texts.ACCEPTANCE[k : k + 2]),
            }
            for k, a in enumerate(self._step_amounts(s.bid.job, s.amount))
        ]

    def _step_amounts(self, j: int, amount: Money) -> list[int]:
        jobs = self.desk.jobs
        if not jobs.hourly[j]:
            return split_minor(amount.minor, jobs.weights[j])
        hours = max(4.0, float(jobs.size_usd[j] / jobs.rate_usd[j]))
        return [amount.minor * max(1, round(hours * w / sum(jobs.weights[j]))) for w in jobs.weights[j]]

    def _row(self, s: Sent) -> tuple[Any, ...]:
        d, b, at_hand = self.desk, s.bid, self.at_hand
        freelancer, job = at_hand.freelancer_id[b.freelancer], at_hand.job_id[b.job]
        live = f"{job}:{freelancer}" if s.state in ("submitted", "seen", "shortlisted", "offered") else None
        held, asked = at_hand.held[b.freelancer], at_hand.asked[b.job]
        named = [d.skills.names[i] for i in [i for i in held if i in asked] or held]
        steps = len(at_hand.steps[b.job][0])
        letter = texts.SPAM_LETTER if b.spam else texts.letter(self.texts, named, int(d.people.years[b.freelancer]), steps)
        answers = ["Much like this one; it is in my profile."] * len(d.jobs.questions[b.job])
        return (
            s.id, job, freelancer, s.state, live, letter, s.amount.minor, s.amount.currency, s.days,
            [] if at_hand.hourly[b.job] else self.terms(s), answers, self.quote(s), 0, b.at, s.seen or None, s.shortlisted or None,
            s.offered or None, s.decided or None, s.reason, s.answer_due, s.ghosted or None,
        )  # fmt: skip

    def _story(self, j: int, state: str, ended: int, offered: Callable, accepted: Callable, declined: Callable) -> None:
        """From each bid's sending to the post's end."""
        d, jobs = self.desk, self.desk.jobs
        client, who_is = self.at_hand.client_id[j], self.at_hand.freelancer_id
        sent = [self.sent[id(b)] for b in d.history.bids[j] if id(b) in self.sent]
        stop = ended or d.until + 1
        self._read(j, sent, client, stop)
        for s in sorted((s for s in sent if s.bid.offered and s.bid.offered <= d.until), key=lambda s: s.bid.offered):
            s.offered, s.seen = s.bid.offered, s.seen or s.bid.offered
            s.state = d.journal.move(s.offered, "jobs.proposal", s.id, "proposal", "offer", (s.state, "offered"), client)
            offered(s, client)
            if s.bid.answered > d.until:
                continue
            s.decided = s.bid.answered
            if s.bid.accepted:
                accepted(s)
                who = who_is[s.bid.freelancer]
                self._end(s, "accept", "accepted", s.decided, who, "")
                extra: dict[str, Any] = {"proposal_id": s.id}
                d.journal.move(ended, "jobs.job", int(jobs.id[j]), "job", "fill", ("open", "filled"), who, **extra)
            else:
                declined(s)
        if state in ("closed", "expired", "removed"):
            self._close(j, state, ended, client)
        if ended:
            how = {"filled": ("archive", "archived", FILLED_REASON), "closed": ("archive", "archived", "The client closed the post."),
                   "expired": ("expire", "expired", "The post expired."), "removed": ("expire", "expired", "The post was removed.")}[state]  # fmt: skip
            hired = next((who_is[s.bid.freelancer] for s in sent if s.state == "accepted"), None)
            actor = {"filled": hired, "closed": client, "expired": None, "removed": d.staff_id}[state]
            for s in sent:
                if s.state in ("submitted", "seen", "shortlisted"):
                    self._end(s, how[0], how[1], ended, actor, how[2])
        for s in sent:
            self._ghost(s, int(jobs.id[j]))

    def _ghost(self, s: Sent, job: int) -> None:
        """The clock of silence: no answer of any kind in time."""
        answered = min((at for at in (s.shortlisted, s.offered, s.decided) if at), default=s.answer_due + 1)
        if s.answer_due < answered and s.answer_due <= self.desk.until:
            s.ghosted = s.answer_due
            reason = f"no answer in {settings.GHOSTED_AFTER_DAYS} days"
            self.desk.journal.tell(s.ghosted, "jobs.proposal", s.id, "proposal.ghost", None, after={"job_id": job}, reason=reason)

    def _close(self, j: int, state: str, ended: int, client: int) -> None:
        action, actor, reason = {
            "closed": ("close", client, ""),
            "expired": ("expire", None, f"open for {settings.JOB_OPEN_DAYS} days"),
            "removed": ("remove", self.desk.staff_id, MODERATION_REASONS["removed"]),
        }[state]
        self.desk.journal.move(ended, "jobs.job", int(self.desk.jobs.id[j]), "job", action, ("open", state), actor, reason=reason)

    def _read(self, j: int, sent: list[Sent], client: int, stop: int) -> None:
        """Sending, and what the client does before any offer: open, shortlist, decline; and bids taken back."""
        d, rng = self.desk, self.reading
        ghost = bool(d.clients.ghosting[d.jobs.client[j]])
        best = np.quantile([s.bid.utility for s in sent], 1 - cal.SHORTLIST_SHARE) if sent else 0.0
        for s in sent:
            b, who = s.bid, self.at_hand.freelancer_id[s.bid.freelancer]
            after = {"state": "submitted", "job_id": self.at_hand.job_id[j], "amount_minor": s.amount.minor, "currency": s.amount.currency}
            d.journal.tell(b.at, "jobs.proposal", s.id, "proposal.submit", who, after=after)
            limit = min(stop, b.offered or stop, d.until + 1)
            seen = b.at + int(around(rng, cal.SEEN_HOURS_MEDIAN, cal.SEEN_SIGMA, 0.05) * cal.HOUR)
            sorted_at = seen + int(rng.uniform(0.02, 2.5) * cal.DAY)
            if b.withdrawn and b.withdrawn < limit:
                if seen < b.withdrawn and not ghost:
                    self._see(s, seen, client)
                self._end(s, "withdraw", "withdrawn", b.withdrawn, who, "Other work came first.")
                continue
            if ghost or seen >= limit:
                continue
            self._see(s, seen, client)
            if sorted_at >= limit:
                continue
            if b.utility >= best:
                s.shortlisted = sorted_at
                s.state = d.journal.move(sorted_at, "jobs.proposal", s.id, "proposal", "shortlist", (s.state, "shortlisted"), client)
            elif not b.offered and rng.random() < 0.18:
                self._end(s, "decline", "declined", sorted_at, client, texts.pick(rng, DECLINE_REASONS))

    def _see(self, s: Sent, at: int, client: int) -> None:
        s.seen = at
        s.state = self.desk.journal.move(at, "jobs.proposal", s.id, "proposal", "see", (s.state, "seen"), client)

    def _end(self, s: Sent, action: str, state: str, at: int, actor: int | None, reason: str) -> None:
        s.decided, s.reason = at, reason
        extra: dict[str, Any] = {"job_id": self.at_hand.job_id[s.bid.job]}
        s.state = self.desk.journal.move(at, "jobs.proposal", s.id, "proposal", action, (s.state, state), actor, reason=reason, **extra)

    def decline_offer(self, s: Sent, actor: int, reason: str) -> None:
        """The contract's offer was declined by the freelancer."""
        self._end(s, "decline", "declined", s.bid.answered, actor, reason)
