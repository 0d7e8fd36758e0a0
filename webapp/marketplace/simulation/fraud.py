"""Planted fraud. What was planted is written to the truth files only; the product's tables carry nothing but its traces.

Kinds, and the traces that the tables can carry: texts of posts and messages, copies, bursts of bids and of refused cards, tight rings
of contracts with instant approval and perfect reviews. Devices and addresses are not captured yet, so rings show by their graph alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from . import calibration as cal
from . import texts
from .exposure import Bid, History, Market
from .people import Clients
from .posts import MARKET, REMOVED, Jobs
from .streams import Streams

POST_WORDS = {
    "fake_job": "Easy work from home, no experience. We send a cheque for your equipment first; write to jobs.desk@quick-hire.example.",
    "paid_to_apply": "To be considered, pay a refundable registration fee of 25 dollars for the training pack before you apply.",
}
CONTACT_LINES = (
    "Let us talk on WhatsApp, my number is plus four four seven seven double zero nine zero zero one two three.",
    "Write to me at studio.mail (at) post.example and we settle it there.",
    "Add me on telegram, the name is my first name and then 4417.",
)
OUTSIDE_LINES = (
    "If we pay by bank transfer directly we both save the fee, agreed?",
    "I give you fifteen percent off when you pay me outside of this site.",
    "Cancel here and I send you the invoice, it is cheaper for you.",
)


@dataclass(slots=True)
class Planted:
    """Everything planted: subjects by kind for the truth, and what other stages must act out."""

    rows: list[tuple[str, str, int, int]] = field(default_factory=list)  # kind, subject_type, subject_id, at
    lines: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    cards: list[tuple[int, int, int, int]] = field(default_factory=list)  # at, client position, cents of a dollar, count

    def note(self, kind: str, subject_type: str, subject_id: int, at: int) -> None:
        self.rows.append((kind, subject_type, int(subject_id), int(at)))

    def counts(self) -> dict[str, int]:
        """How many subjects of each kind."""
        return dict(sorted(Counter(kind for kind, *_ in self.rows).items()))


def _some(streams: Streams, kind: str, candidates: np.ndarray, of: int) -> np.ndarray:
    wanted = min(len(candidates), max(2, round(cal.FRAUD_SHARES[kind] * of)))
    return np.sort(streams["fraud"].choice(candidates, wanted, replace=False))


def plant_posts(streams: Streams, jobs: Jobs, clients: Clients, until: int) -> Planted:
    """Fake posts, posts that cost to apply, and copies; staff removes some of them after a few days."""
    planted, rng, n = Planted(), streams["fraud"], len(jobs)
    for kind in ("fake_job", "paid_to_apply"):
        free = np.flatnonzero((jobs.fate == MARKET) & (np.array(jobs.fraud) == ""))
        for j in _some(streams, kind, free, n):
            jobs.fraud[j] = kind
            jobs.decides[j] = jobs.opened[j] + 400 * cal.DAY
            if rng.random() < 0.6:
                jobs.fate[j] = REMOVED
                jobs.closes[j] = jobs.opened[j] + int(rng.uniform(0.3, 5) * cal.DAY)
            planted.note(kind, "job", jobs.id[j], jobs.opened[j])
    free = np.array([j for j in range(n - 1) if jobs.fate[j] == jobs.fate[j + 1] == MARKET and jobs.fraud[j] == jobs.fraud[j + 1] == ""])
    taken: set[int] = set()
    for j in _some(streams, "duplicate_job", free, n):
        if {int(j), int(j) + 1} & taken:
            continue
        taken |= {int(j), int(j) + 1}
        _copy(jobs, int(j), int(j) + 1)
        planted.note("duplicate_job", "job", jobs.id[j + 1], jobs.opened[j + 1])
    for c in _some(streams, "card_testing", np.arange(len(clients)), len(clients)):
        at = int(rng.integers(int(clients.joined[c]) + cal.HOUR, until - cal.HOUR))
        planted.cards.append((at, int(c), int(rng.integers(100, 400)), int(rng.integers(6, 16))))
        planted.note("card_testing", "user", clients.user_id[c], at)
    return planted


def _copy(jobs: Jobs, source: int, target: int) -> None:
    for name in ("client", "category", "level", "hourly", "unknown_price", "rate_usd", "size_usd", "low", "high", "duration_days"):
        column = getattr(jobs, name)
        column[target] = column[source]
    jobs.skills[target] = jobs.skills[source]
    jobs.weights[target], jobs.questions[target] = jobs.weights[source], jobs.questions[source]
    jobs.copy_of[target], jobs.fraud[target] = source, "duplicate_job"


def plant_bidders(streams: Streams, planted: Planted, market: Market) -> None:
    """Bid spammers, stolen accounts, rings of one person and swapped reviews; called before the days run."""
    rng, people = streams["fraud"], market.people
    everybody = np.arange(len(people))
    for f in _some(streams, "bid_spam", everybody, len(people)):
        people.picky[f] += 2.5
        people.activity[f] *= 3
        market.spam_from[f] = people.joined[f]
        planted.note("bid_spam", "user", people.user_id[f], people.joined[f])
    calm = everybody[(market.spam_from == 0) & (people.joined < market.until - 90 * cal.DAY)]
    for f in _some(streams, "account_takeover", calm, len(people)):
        at = int(market.until - rng.uniform(4, 50) * cal.DAY)
        market.spam_from[f] = at
        people.activity[f] *= 2
        planted.note("account_takeover", "user", people.user_id[f], at)
    for kind in ("self_hiring_ring", "review_swap"):
        _plant_rings(streams, planted, market, kind)


def _plant_rings(streams: Streams, planted: Planted, market: Market, kind: str) -> None:
    """A client's posts go at once to the same one or two freelancers, are approved within minutes and reviewed perfectly."""
    rng, people, jobs = streams["fraud"], market.people, market.jobs
    free = np.flatnonzero(
        (jobs.fate == MARKET)
        & (np.array(jobs.fraud) == "")
        & ~jobs.hourly
        & ~jobs.invited
        & (jobs.copy_of < 0)
        & ~np.isin(np.arange(len(jobs)), jobs.copy_of)
    )
    owners = np.unique(jobs.client[free])
    owners = owners[~market.clients.ghosting[owners]]
    for c in _some(streams, kind, owners, len(market.clients)):
        own = free[jobs.client[free] == c][:3]
        pool = np.flatnonzero((people.joined < jobs.opened[own].min()) & (market.spam_from == 0))
        if not len(pool):
            continue
        friends = rng.choice(pool, min(len(pool), 2 if kind == "self_hiring_ring" else 1), replace=False)
        for n, j in enumerate(own):
            f = int(friends[n % len(friends)])
            jobs.fraud[j] = kind
            jobs.decides[j] = jobs.opened[j] + int(rng.uniform(1.0, 1.9) * cal.DAY)
            market.arrange(Bid(f, int(j), int(jobs.opened[j]) + int(rng.integers(300, 3_000)), 9.0, 0.9, 1.0))
            planted.note(kind, "job", jobs.id[j], jobs.opened[j])
        planted.note(kind, "user", market.clients.user_id[c], jobs.opened[own].min())
        for f in friends:
            planted.note(kind, "user", people.user_id[f], jobs.opened[own].min())


def plant_lines(streams: Streams, planted: Planted, history: History, market: Market) -> None:
    """Messages before any contract: contact details, and asking to pay elsewhere; stolen accounts write both."""
    rng = streams["fraud"]
    bids = [b for per_job in history.bids for b in per_job if b.at <= market.until]
    for kind, lines in (("contact_before_contract", CONTACT_LINES), ("pay_outside", OUTSIDE_LINES)):
        for i in _some(streams, kind, np.arange(len(bids)), len(bids)):
            bid = bids[int(i)]
            planted.lines[bid.job, bid.freelancer] = (texts.pick(rng, lines),)
            planted.note(
                kind, "job_and_freelancer", int(market.jobs.id[bid.job]) * 10**9 + int(market.people.user_id[bid.freelancer]), bid.at
            )


def post_words(kind: str, description: str) -> str:
    """The description of a planted post."""
    return f"{description}\n{POST_WORDS[kind]}" if kind in POST_WORDS else description
