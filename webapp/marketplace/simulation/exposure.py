"""Day by day: who looks at which posts, who bids, whom clients choose. One vectorised round per day.

The truth of every shown pair (probability of a bid when looked at, of the hire when bid) is kept for the truth files.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.activity.capture import propensity

from . import calibration as cal
from .delivery import Person, Story, tell
from .people import Clients, Floats, Freelancers, Ints
from .posts import CLOSED, DRAFT, MARKET, REMOVED, REVIEW, Jobs
from .streams import Streams, around


@dataclass(slots=True)
class Shown:
    """Everything shown, one array per column, in order of time."""

    batch: Ints
    freelancer: Ints
    job: Ints
    position: Ints
    propensity: Floats
    score: Floats
    at: Ints
    looked: NDArray[np.bool_]
    bid: NDArray[np.bool_]
    p_bid: Floats
    utility: Floats

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(slots=True)
class Bid:
    """A bid and what became of it. `price` is a factor on the job's worth; instants are 0 when they did not come."""

    freelancer: int
    job: int
    at: int
    utility: float
    cover: float
    price: float
    seen: int = 0
    shortlisted: int = 0
    offered: int = 0
    answered: int = 0
    accepted: bool = False
    withdrawn: int = 0
    declined: int = 0
    spam: bool = False


@dataclass(slots=True)
class Deal:
    """An accepted offer and its story."""

    bid: Bid
    story: Story


@dataclass(slots=True)
class History:
    """What the days brought forth."""

    shown: Shown
    batches: Ints  # instant of each list
    searches: NDArray[np.bool_]  # whether a list came from a search
    bids: list[list[Bid]]  # per job
    deals: list[Deal]
    ended: Ints  # instant a post was filled or closed, 0 while open
    hire_share: Floats  # per job: sum of exp(utility) over its bids


@dataclass(slots=True)
class _State:
    """What changes from day to day."""

    rating_sum: Floats
    rating_n: Floats
    done: Floats
    client_done: Floats
    client_posts: Floats
    bid_on: NDArray[np.bool_]
    news: list[tuple[int, int, int, int, int]] = field(default_factory=list)  # (at, serial, freelancer, rating, client)

    def reputation(self) -> Floats:
        return (cal.PRIOR_MEAN * cal.PRIOR_WEIGHT + self.rating_sum) / (cal.PRIOR_WEIGHT + self.rating_n)


def step_days(duration: int, weights: list[int]) -> list[int]:
    """Days of work per step, from one to MOST_STEP_DAYS each: what is funded for longer would outlive the limit of held money."""
    return [min(cal.MOST_STEP_DAYS, max(1, duration * w // sum(weights))) for w in weights]


def propensity_of(position: Ints) -> Floats:
    """The probability that a position (from 1) is looked at: the product's own position model, so that its correction is right."""
    known = np.array([propensity(p) for p in range(1, int(position.max(initial=1)) + 1)])
    return known[position - 1]


class Market:
    """The running market between arrays of people and posts; `run` goes through all days."""

    def __init__(self, streams: Streams, scale: cal.Scale, people: Freelancers, clients: Clients, jobs: Jobs, until: int) -> None:
        self.rng, self.fate_rng = streams["exposure"], streams["hiring"]
        self.scale, self.people, self.clients, self.jobs, self.until = scale, people, clients, jobs, until
        n, m = len(people), len(jobs)
        asked = jobs.skills.sum(axis=0)
        self.idf = (np.log((1 + m) / (1 + asked)) + 1).astype(np.float32)
        self.need = np.maximum((jobs.skills * self.idf).sum(axis=1), 1e-6)
        self.held = people.skills * self.idf
        self.bids: list[list[Bid]] = [[] for _ in range(m)]
        self.deals: list[Deal] = []
        self.spam_from = np.zeros(n, dtype=np.int64)  # when a freelancer's bids become spam, 0: never
        self.ended = np.where((jobs.fate == CLOSED) | (jobs.fate == REMOVED), jobs.closes, 0)
        self.ended[self.ended > until] = 0
        self.decided = np.zeros(m, dtype=bool)
        self.hire_share = np.zeros(m)
        self.state = _State(
            np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(len(clients)), np.zeros(len(clients)), np.zeros((n, m), dtype=bool)
        )
        self.arranged: set[tuple[int, int]] = set()
        self.columns: dict[str, list[NDArray]] = {name: [] for name in Shown.__slots__}
        self.lists: list[Ints] = []
        self.batch = 0

    def run(self, first_day: int, days: int) -> History:
        """Every day once, in order."""
        for d in range(days):
            day = first_day + d
            self._news(day * cal.DAY)
            self._decide(day)
            self._show(day, self.scale.lists_per_day * (0.55 + 0.75 * d / days) * cal.WEEKDAY[(day + 3) % 7])
        shown = Shown(**{name: np.concatenate(parts) for name, parts in self.columns.items()})
        lists = np.concatenate(self.lists)
        searches = self.rng.random(len(lists)) < cal.SEARCH_SHARE
        return History(shown, lists, searches, self.bids, self.deals, self.ended, self.hire_share)

    def arrange(self, bid: Bid) -> None:
        """Put a bid that was agreed on beforehand; its writer is shown the post no more. Called before the days run."""
        self.bids[bid.job].append(bid)
        self.state.bid_on[bid.freelancer, bid.job] = True
        self.arranged.add((bid.freelancer, bid.job))
        self.hire_share[bid.job] += np.exp(bid.utility)

    # --- news of finished work --------------------------------------------------------------------------------------
    def _news(self, now: int) -> None:
        s = self.state
        while s.news and s.news[0][0] < now:
            _, _, freelancer, rating, client = heapq.heappop(s.news)
            if rating > 0:
                s.rating_sum[freelancer] += rating
                s.rating_n[freelancer] += 1
            elif rating == 0:
                s.done[freelancer] += 1
            else:
                s.client_done[client] += 1

    def _tell_news(self, at: int, freelancer: int, rating: int, client: int) -> None:
        heapq.heappush(self.state.news, (at, len(self.deals) * 4 + rating, freelancer, rating, client))

    # --- lists and bids ---------------------------------------------------------------------------------------------
    def _show(self, day: int, mean_lists: float) -> None:
        rng, jobs, people = self.rng, self.jobs, self.people
        morning = day * cal.DAY
        open_now = np.flatnonzero(
            (jobs.fate != DRAFT) & (jobs.fate != REVIEW) & (jobs.opened > 0) & (jobs.opened < morning) & (jobs.opened > morning - 29 * cal.DAY)
            & ((self.ended == 0) | (self.ended > morning + cal.DAY)) & ~self.decided & ~jobs.invited
        )  # fmt: skip
        there = np.flatnonzero(people.joined < morning)
        wanted = int(rng.poisson(mean_lists))
        if not len(open_now) or not len(there) or not wanted:
            return
        weight = people.activity[there] * np.array([1.0, 0.7, 0.15])[people.availability[there]]
        active = np.sort(rng.choice(there, min(wanted, len(there)), replace=False, p=weight / weight.sum()))
        at = self._session(active, morning)
        parts = self._parts(active, open_now, at)
        order_score = (
            2.2 * parts["cover"]
            + 0.5 * parts["category"]
            - 0.04 * parts["age"]
            + cal.RANKING_NOISE * rng.standard_normal(parts["cover"].shape)
        )
        order_score[self.state.bid_on[np.ix_(active, open_now)]] = -np.inf
        k = min(self.scale.list_length, len(open_now))
        top = np.argsort(-order_score, axis=1, kind="stable")[:, :k]
        rows = np.repeat(np.arange(len(active)), k)
        cols = top.ravel()
        position = np.tile(np.arange(1, k + 1), len(active))
        keep = np.isfinite(order_score[rows, cols])
        rows, cols, position = rows[keep], cols[keep], position[keep]
        pair = {name: value[rows, cols] for name, value in parts.items()}
        self._outcome(active[rows], open_now[cols], rows, position, at[rows], order_score[rows, cols], pair)
        self.lists.append(at)
        self.batch += len(active)

    def _session(self, active: Ints, morning: int) -> Ints:
        local = np.clip(self.rng.normal(13.0, 4.0, len(active)), 5.0, 23.0)
        hour = np.clip((local - self.people.zone[active]) % 24, 0.1, 23.2)
        return morning + (hour * cal.HOUR).astype(np.int64)

    def _parts(self, active: Ints, open_now: Ints, at: Ints) -> dict[str, Floats]:
        """Everything that a bid depends on, as matrices of freelancers × posts."""
        people, jobs, clients = self.people, self.jobs, self.clients
        owner = jobs.client[open_now]
        counts = np.array([len(self.bids[j]) for j in open_now], dtype=float)
        shape = (len(active), len(open_now))
        gap = np.abs(people.zone[active][:, None] - clients.zone[owner][None, :])
        return {
            "cover": (self.held[active] @ jobs.skills[open_now].T / self.need[open_now]).astype(float),
            "category": (people.category[active][:, None] == jobs.category[open_now][None, :]).astype(float),
            "price": np.abs(np.log(people.rate_usd[active])[:, None] - np.log(jobs.rate_usd[open_now])[None, :]),
            "dear": np.log(people.rate_usd[active])[:, None] - np.log(jobs.rate_usd[open_now])[None, :],
            "level": np.abs(people.level[active][:, None] - jobs.level[open_now][None, :]).astype(float),
            "zone": np.minimum(gap, 24 - gap),
            "client": np.broadcast_to(self._client_hires(owner)[None, :], shape),
            "competition": np.broadcast_to(np.log1p(counts)[None, :], shape),
            "age": (at[:, None] - jobs.opened[open_now][None, :]) / cal.DAY,
            "country": (people.country[active][:, None] == clients.country[owner][None, :]).astype(float),
            "available": np.broadcast_to(np.array([0.0, -0.4, -1.4])[people.availability[active]][:, None], shape),
            "unknown_price": np.broadcast_to(jobs.unknown_price[open_now].astype(float)[None, :], shape),
        }

    def _client_hires(self, owner: Ints) -> Floats:
        s = self.state
        return (1.0 + s.client_done[owner]) / (2.0 + np.maximum(s.client_posts[owner], s.client_done[owner])) - 0.5

    def _outcome(self, f: Ints, j: Ints, row: Ints, position: Ints, at: Ints, score: Floats, pair: dict[str, Floats]) -> None:
        rng, people, jobs = self.rng, self.people, self.jobs
        logit = self.scale.bid_intercept + cal.BID["cover"] * (pair["cover"] - cal.COVER_CENTRE) + people.picky[f] + jobs.attraction[j]
        for name in ("category", "price", "level", "zone", "client", "competition", "age", "country", "available", "unknown_price"):
            logit = logit + cal.BID[name] * pair[name]
        logit = logit + cal.BID["noise"] * rng.standard_normal(len(f))
        p_bid = 1 / (1 + np.exp(-logit))
        seen_at = propensity_of(position)
        looked = rng.random(len(f)) < seen_at
        bid = looked & (rng.random(len(f)) < p_bid)
        h = cal.HIRE
        utility = (
            h["cover"] * (pair["cover"] - cal.COVER_CENTRE) + h["category"] * pair["category"] + h["price"] * np.maximum(pair["dear"], -0.3)
            + h["quality"] * people.quality[f] + h["reputation"] * (self.state.reputation()[f] - cal.PRIOR_MEAN)
            + h["experience"] * np.log1p(self.state.done[f]) + h["level"] * pair["level"] + h["zone"] * pair["zone"]
            + h["responsive"] * people.responsive[f]
        )  # fmt: skip
        values = {
            "batch": self.batch + row, "freelancer": f, "job": j, "position": position, "propensity": seen_at, "score": score, "at": at,
            "looked": looked, "bid": bid, "p_bid": p_bid, "utility": utility,
        }  # fmt: skip
        for name, value in values.items():
            self.columns[name].append(value)
        self.state.bid_on[f[bid], j[bid]] = True
        price = np.exp(np.clip(0.35 * pair["dear"], -0.35, 0.35) + 0.08 * rng.standard_normal(len(f)))
        sent = at + 120 + (90 * position) + rng.integers(60, 1_200, len(f))
        for i in np.flatnonzero(bid):
            spam = bool(0 < self.spam_from[f[i]] <= at[i])
            made = Bid(int(f[i]), int(j[i]), int(sent[i]), float(utility[i]), float(pair["cover"][i]), float(price[i]), spam=spam)
            if rng.random() < cal.WITHDRAWN_SHARE:
                made.withdrawn = made.at + int(rng.uniform(0.1, 3) * cal.DAY)
            self.bids[j[i]].append(made)
            self.hire_share[j[i]] += 0.0 if spam else np.exp(utility[i])

    # --- choosing ---------------------------------------------------------------------------------------------------
    def _decide(self, day: int) -> None:
        jobs, low, high = self.jobs, day * cal.DAY, (day + 1) * cal.DAY
        due = np.flatnonzero((jobs.fate == MARKET) & ~self.decided & (jobs.decides >= low) & (jobs.decides < high) & (self.ended == 0))
        for j in due:
            self._choose(int(j), day)
        for j in np.flatnonzero((jobs.opened >= low) & (jobs.opened < high)):
            self.state.client_posts[jobs.client[j]] += 1

    def _choose(self, j: int, day: int) -> None:
        rng, client = self.fate_rng, int(self.jobs.client[j])
        ready = [b for b in self.bids[j] if not b.withdrawn and not b.spam]
        if self.clients.ghosting[client] or len(ready) < cal.MIN_BIDS_TO_DECIDE:
            return
        agreed = any((b.freelancer, j) in self.arranged for b in ready)
        if not agreed and rng.random() > cal.HIRE_BASE + 0.1 * np.tanh(self.clients.decisive[client]):
            return
        self.decided[j] = True
        at = day * cal.DAY + int(rng.uniform(7, 17) * cal.HOUR)
        taste = [b.utility + rng.gumbel() for b in ready]
        for turn, i in enumerate(np.argsort(taste)[::-1][:2]):
            bid = ready[int(i)]
            bid.offered = at
            bid.answered = at + int(min(around(rng, 5, 0.8, 0.2), 30) * cal.HOUR)
            if rng.random() < cal.OFFER_ACCEPTED:
                bid.accepted = True
                break
            bid.declined = bid.answered
            if turn == 1 or rng.random() > cal.SECOND_OFFER:
                self.ended[j] = bid.answered + int(rng.uniform(0.5, 4) * cal.DAY)
                return
            at = bid.answered + int(rng.uniform(1, 20) * cal.HOUR)
        else:
            self.ended[j] = at + 2 * cal.DAY
            return
        self.ended[j] = bid.answered
        self._strike(bid, j, client)

    def _strike(self, bid: Bid, j: int, client: int) -> None:
        rng, jobs = self.fate_rng, self.jobs
        days = [float(d) for d in step_days(int(jobs.duration_days[j]), jobs.weights[j])]
        f, c = bid.freelancer, self.clients
        if (f, j) in self.arranged:
            who = Person(quality=3.0, responsive=2.0, strict=-3.0, appeal=3.0, ghosting=False, fit=0.9)
            days = [0.05 for _ in days]
        else:
            who = Person(
                quality=float(self.people.quality[f]), responsive=float(self.people.responsive[f]), strict=float(c.strict[client]),
                appeal=float(c.appeal[client]), ghosting=bool(c.ghosting[client]), fit=bid.cover,
            )  # fmt: skip
        story = tell(rng, who, bid.answered, days)
        self.deals.append(Deal(bid, story))
        self._tell_news(bid.answered, f, -1, client)
        if story.finished:
            self._tell_news(story.ended, f, 0, client)
        if story.client_rating:
            self._tell_news(story.opened, f, story.client_rating, client)
