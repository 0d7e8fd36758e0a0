"""Day by day: who looks at which posts, who bids, whom clients choose. One vectorised round per day.

The truth of every shown pair (probability of a bid when looked at, of the hire when bid) is kept for the truth files.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
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


#: days that a bid is remembered for: no post is shown longer than LISTED_DAYS after it was opened
LISTED_DAYS, REMEMBERED_DAYS = 29, 31


@dataclass(slots=True)
class _State:
    """What changes from day to day."""

    rating_sum: Floats
    rating_n: Floats
    done: Floats
    client_done: Floats
    client_posts: Floats
    bids_on: Ints  # per post
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


def _best(score: Floats, k: int) -> Ints:
    """The columns of each row's `k` highest scores, the highest first."""
    among = np.argpartition(-score, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(score, among, axis=1), axis=1, kind="stable")
    return np.take_along_axis(among, order, axis=1)


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
            np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(len(clients)), np.zeros(len(clients)), np.zeros(m, dtype=np.int64)
        )
        self.arranged: set[tuple[int, int]] = set()
        #: pairs of freelancers and posts with a bid, a day each: all of them as a matrix would not fit for a large market
        self.paired: deque[tuple[Ints, Ints]] = deque(maxlen=REMEMBERED_DAYS)
        self.columns: dict[str, list[NDArray]] = {name: [] for name in Shown.__slots__}
        self.lists: list[Ints] = []
        self.batch = 0

    def run(self, first_day: int, days: int, told: Callable[[int], None] = lambda days: None) -> History:
        """Every day once, in order; `told` hears how many are done."""
        for d in range(days):
            day = first_day + d
            told(d)
            self._news(day * cal.DAY)
            self._decide(day)
            self._show(day, self.scale.lists_per_day * (0.55 + 0.75 * d / days) * cal.WEEKDAY[(day + 3) % 7])
        shown = Shown(**{name: np.concatenate(self.columns.pop(name)) for name in Shown.__slots__})
        lists = np.concatenate(self.lists)
        searches = self.rng.random(len(lists)) < cal.SEARCH_SHARE
        return History(shown, lists, searches, self.bids, self.deals, self.ended, self.hire_share)

    def arrange(self, bid: Bid) -> None:
        """Put a bid that was agreed on beforehand; its writer is shown the post no more. Called before the days run."""
        self.bids[bid.job].append(bid)
        self.state.bids_on[bid.job] += 1
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
            (jobs.fate != DRAFT) & (jobs.fate != REVIEW) & (jobs.opened > 0) & (jobs.opened < morning) & (jobs.opened > morning - LISTED_DAYS * cal.DAY)
            & ((self.ended == 0) | (self.ended > morning + cal.DAY)) & ~self.decided & ~jobs.invited
        )  # fmt: skip
        there = np.flatnonzero(people.joined < morning)
        wanted = int(rng.poisson(mean_lists))
        if not len(open_now) or not len(there) or not wanted:
            return
        weight = people.activity[there] * np.array([1.0, 0.7, 0.15])[people.availability[there]]
        active = np.sort(rng.choice(there, min(wanted, len(there)), replace=False, p=weight / weight.sum()))
        at = self._session(active, morning)
        order_score, cover = self._order(active, open_now, at)
        order_score[self._bid_before(active, open_now)] = -np.inf
        k = min(self.scale.list_length, len(open_now))
        top = _best(order_score, k)
        rows = np.repeat(np.arange(len(active)), k)
        cols = top.ravel()
        position = np.tile(np.arange(1, k + 1), len(active))
        keep = np.isfinite(order_score[rows, cols])
        rows, cols, position = rows[keep], cols[keep], position[keep]
        score = order_score[rows, cols]
        pair = {"cover": cover[rows, cols], **self._parts(active[rows], open_now[cols], at[rows])}
        self._outcome(active[rows], open_now[cols], rows, position, at[rows], score, pair)
        self.lists.append(at)
        self.batch += len(active)

    def _order(self, active: Ints, open_now: Ints, at: Ints) -> tuple[Floats, Floats]:
        """What the lists are ordered by, and the cover of the asked skills, as matrices of freelancers × posts."""
        people, jobs = self.people, self.jobs
        cover: Floats = (self.held[active] @ jobs.skills[open_now].T / self.need[open_now]).astype(float)
        score: Floats = 2.2 * cover
        score += 0.5 * (people.category[active][:, None] == jobs.category[open_now][None, :])
        score -= 0.04 * ((at[:, None] - jobs.opened[open_now][None, :]) / cal.DAY)
        score += cal.RANKING_NOISE * self.rng.standard_normal(score.shape)
        return score, cover

    def _bid_before(self, active: Ints, open_now: Ints) -> tuple[Ints, Ints]:
        """Row and column of each pair of the matrix that has a bid already."""
        row, column = np.full(len(self.people), -1), np.full(len(self.jobs), -1)
        row[active], column[open_now] = np.arange(len(active)), np.arange(len(open_now))
        agreed = np.array(sorted(self.arranged), dtype=np.int64).reshape(-1, 2)
        freelancers = np.concatenate([agreed[:, 0], *(f for f, _ in self.paired)])
        posts = np.concatenate([agreed[:, 1], *(j for _, j in self.paired)])
        rows, columns = row[freelancers], column[posts]
        both = (rows >= 0) & (columns >= 0)
        return rows[both], columns[both]

    def _session(self, active: Ints, morning: int) -> Ints:
        local = np.clip(self.rng.normal(13.0, 4.0, len(active)), 5.0, 23.0)
        hour = np.clip((local - self.people.zone[active]) % 24, 0.1, 23.2)
        return morning + (hour * cal.HOUR).astype(np.int64)

    def _parts(self, f: Ints, j: Ints, at: Ints) -> dict[str, Floats]:
        """What a bid depends on besides the cover, for pairs of a freelancer and a post."""
        people, jobs, clients = self.people, self.jobs, self.clients
        owner = jobs.client[j]
        gap = np.abs(people.zone[f] - clients.zone[owner])
        dear = np.log(people.rate_usd[f]) - np.log(jobs.rate_usd[j])
        return {
            "category": (people.category[f] == jobs.category[j]).astype(float),
            "price": np.abs(dear),
            "dear": dear,
            "level": np.abs(people.level[f] - jobs.level[j]).astype(float),
            "zone": np.minimum(gap, 24 - gap),
            "client": self._client_hires(owner),
            "competition": np.log1p(self.state.bids_on[j].astype(float)),
            "age": (at - jobs.opened[j]) / cal.DAY,
            "country": (people.country[f] == clients.country[owner]).astype(float),
            "available": np.array([0.0, -0.4, -1.4])[people.availability[f]],
            "unknown_price": jobs.unknown_price[j].astype(float),
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
        price = np.exp(np.clip(0.35 * pair["dear"], -0.35, 0.35) + 0.08 * rng.standard_normal(len(f)))
        sent = at + 120 + (90 * position) + rng.integers(60, 1_200, len(f))
        spam = (self.spam_from[f] > 0) & (self.spam_from[f] <= at)
        self.paired.append((f[bid], j[bid]))
        np.add.at(self.state.bids_on, j[bid], 1)
        self._send([column[bid].tolist() for column in (f, j, sent, utility, pair["cover"], price)], spam[bid].tolist())

    def _send(self, columns: list[list], spam: list[bool]) -> None:
        """The bids of a day; a few are taken back later."""
        rng = self.rng
        for f, j, at, utility, cover, price, is_spam in zip(*columns, spam, strict=True):
            made = Bid(f, j, at, utility, cover, price, spam=is_spam)
            if rng.random() < cal.WITHDRAWN_SHARE:
                made.withdrawn = at + int(rng.uniform(0.1, 3) * cal.DAY)
            self.bids[j].append(made)
            self.hire_share[j] += 0.0 if is_spam else np.exp(utility)

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
