"""The sample market from seed to rows: stages in order, each timed, all written in one transaction.

Guarantees: the same seed, scale and end give the same rows (ids included) in a database of the same kind that held the same
taxonomy; nothing is written when the marketplace is not empty; the truth goes to files only.
"""

from __future__ import annotations

import gc
import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from marketplace.accounts.models import FreelancerProfile, User
from marketplace.contracts.models import Contract
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.jobs.credits import active_rule
from marketplace.jobs.models import Job, Proposal
from marketplace.jobs.services import credit_rule_publish
from marketplace.payments import fx
from marketplace.payments.models import Entry

from . import calibration as cal
from . import fraud, people, posts, skills
from .bids import Bids, Desk, Sent
from .capture_rows import activity_tables
from .chat import conversations
from .contracts import DECLINED, Contracts
from .exposure import Market
from .journal import Journal
from .money import Ledger, opaque_key
from .payouts import Payouts
from .people_rows import people_tables
from .prices import Prices
from .streams import Streams
from .tables import Table, bulk_loading
from .truth import write_truth

Say = Callable[[str, float], None]
#: tables that must be empty; people, taxonomy, fee schedules and rates may be there
MARKET_TABLES = (Job, Proposal, Contract, Entry, FreelancerProfile)

#: a stage that takes longer says so often how far it is
TELL_SECONDS = 10.0


@dataclass(slots=True)
class Result:
    """What a run made: rows per table, seconds per stage, released money per currency, planted fraud per kind."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    gsv_minor: dict[str, int] = field(default_factory=dict)
    fraud: dict[str, int] = field(default_factory=dict)
    until: datetime | None = None


def default_until() -> datetime:
    """The business midnight that began today: everything simulated is past, and what is open now is fresh."""
    return clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def require_empty() -> None:
    """Raise Conflict("market_not_empty") naming the tables that hold rows."""
    full = [f"{model._meta.db_table} ({model.objects.count()})" for model in MARKET_TABLES if model.objects.exists()]
    if full:
        raise Conflict(
            "market_not_empty",
            f"The marketplace is not empty: {', '.join(full)}. A sample market is made in a fresh database only; nothing was changed.",
        )


def simulate(*, scale: str = "small", seed: int = 1, until: datetime | None = None, say: Say = lambda stage, seconds: None) -> Result:
    """Make the market. Raises Conflict on a market that is not empty or without a taxonomy; then nothing was changed."""
    require_empty()
    end = until or default_until()
    run = _Run(cal.SCALES[scale], Streams(seed), int(end.timestamp()), say)
    with _without_collector():
        return run.go()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small objects stay until the end, and looking through them again and again takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Run:
    def __init__(self, scale: cal.Scale, streams: Streams, until: int, say: Say) -> None:
        self.scale, self.streams, self.until, self.say = scale, streams, until, say
        self.first_day = until // cal.DAY - scale.days
        self.result = Result(until=datetime.fromtimestamp(until, UTC))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.result.seconds[name] = time.perf_counter() - began
        self.say(name, self.result.seconds[name])

    def progress(self, what: str, of: int) -> Callable[[int], None]:
        """Says now and then how many of a stage's things are done."""
        began = last = time.perf_counter()

        def told(done: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if now - last >= TELL_SECONDS:
                last = now
                self.say(f"  {done:,} of {of:,} {what}", now - began)

        return told

    def go(self) -> Result:
        scale, streams, until = self.scale, self.streams, self.until
        start = self.first_day * cal.DAY
        with self.stage("people"):
            taxonomy = skills.load(streams)
            fx.import_ecb(scale.days + 60)
            first = (User.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
            freelancers = people.freelancers(streams, scale, taxonomy, first + 1, start, until)
            clients = people.clients(streams, scale, taxonomy, first + 1 + len(freelancers), start, until)
        with self.stage("posts"):
            jobs = posts.draw(streams, scale, taxonomy, clients, self.first_day, until)
            planted = fraud.plant_posts(streams, jobs, clients, until)
        with self.stage("days"):
            market = Market(streams, scale, freelancers, clients, jobs, until)
            fraud.plant_bidders(streams, planted, market)
            history = market.run(self.first_day, scale.days, self.progress("days", scale.days))
            fraud.plant_lines(streams, planted, history, market)
            shown, sent = len(history.shown), sum(map(len, history.bids))
            self.say(f"  {shown:,} impressions, {sent:,} bids, {len(history.deals):,} contracts", 0.0)
        with self.stage("proposals and contracts"):
            desk = Desk(streams, taxonomy, freelancers, clients, jobs, history, Prices(), Journal(), until, first)
            bids, contracts, payouts = self._tell(desk, planted)
        with self.stage("activity and messages"):
            captured = activity_tables(desk)
            talk = conversations(desk, bids, planted)
        tables = [
            desk.prices.table(), *people_tables(desk, contracts.ledger.payers), bids.job_rows, bids.skill_rows, bids.proposals(), *contracts.tables(),
            contracts.ledger.account_rows, contracts.ledger.balance_table(), contracts.ledger.entry_rows, contracts.ledger.posting_rows,
            contracts.ledger.payment_rows, payouts.table(), contracts.ledger.sandbox_rows, *talk, *captured,
        ]  # fmt: skip
        with self.stage("facts"):
            last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            tables.append(desk.journal.table(last + 1))
        with self.stage("writing"):
            _bids_were_free(datetime.fromtimestamp(self.until, UTC))
            with bulk_loading():
                self._write(tables)
        with self.stage("truth"):
            write_truth(desk, bids, market, planted)
        self.result.gsv_minor = dict(sorted(contracts.ledger.gsv.items()))
        self.result.fraud = planted.counts()
        return self.result

    def _tell(self, desk: Desk, planted: fraud.Planted) -> tuple[Bids, Contracts, Payouts]:
        bids, ledger = Bids(desk), Ledger(desk.prices, desk.journal)
        bids.number()
        contracts = Contracts(desk, ledger, bids)

        def declined(s: Sent) -> None:
            contracts.declined(s)
            bids.decline_offer(s, int(desk.people.user_id[s.bid.freelancer]), DECLINED)

        contracts.number(list(bids.sent.values()), {id(deal.bid): deal.story for deal in desk.history.deals})
        bids.run(contracts.offered, contracts.accepted, declined, self.progress("posts", len(desk.jobs)))
        payouts = Payouts(ledger, desk.streams["payouts"])
        _play(contracts, payouts, planted, self.until)
        return bids, contracts, payouts

    def _write(self, tables: list[Table]) -> None:
        """All tables in one transaction; what is written is let go."""
        models = [table.model for table in tables]
        with transaction.atomic():
            while tables:
                table, began = tables.pop(0), time.perf_counter()
                name, rows = table.model._meta.db_table, len(table)
                self.result.rows[name] = table.write(self.progress(f"rows of {name}", rows))
                self.say(f"  {name}: {rows} rows", time.perf_counter() - began)
            _reset_sequences(models)


def _bids_were_free(until: datetime) -> None:
    """The history's bids cost no credits. A rule that held before its end already gives way until then, by two later versions."""
    rule = active_rule(until - timedelta(seconds=1))
    if rule is None or rule.version.startswith("sample-free"):
        return
    terms = {"monthly": rule.monthly, "bands": rule.bands, "hourly": rule.hourly, "unknown": rule.unknown}
    free: dict[str, Any] = {"monthly": 0, "bands": [], "hourly": 0, "unknown": 0}
    credit_rule_publish(version=f"sample-free-{until:%Y%m%d}", active_from=rule.active_from, **free)
    credit_rule_publish(version=f"sample-end-{until:%Y%m%d}", active_from=until, **terms)


def _play(contracts: Contracts, payouts: Payouts, planted: fraud.Planted, until: int) -> None:
    """All actions of all contracts and payouts in one order of time, up to the end of the history."""
    queue: list[tuple[int, int, int, str, tuple[int, ...] | tuple[int, str]]] = []
    for n, deal in enumerate(contracts.deals):
        for i, action in enumerate(deal.story.actions if deal.story else []):
            if action.at <= until:
                queue.append((action.at, n, i, "act", (n, i)))
    for n, (at, _, _, count) in enumerate(planted.cards):
        queue.extend((at + 40 * k, -3, n, "card", (n, k)) for k in range(count))
    heapq.heapify(queue)

    def cleared(payee: int, currency: str, at: int) -> None:
        ask = payouts.after_clearing(payee, currency, at)
        if ask and ask <= until:
            heapq.heappush(queue, (ask, -1, payee, "ask", (payee, currency)))

    contracts.cleared = cleared
    while queue:
        at, _, _, kind, about = heapq.heappop(queue)
        if kind == "act":
            deal = contracts.deals[int(about[0])]
            if deal.story is not None:
                contracts.act(deal, deal.story.actions[int(about[1])])
        elif kind == "ask":
            asked = payouts.request(at, int(about[0]), str(about[1]))
            if asked and asked[1] <= until:
                heapq.heappush(queue, (asked[1], -2, asked[0], "send", (asked[0], 0)))
        elif kind == "send":
            payouts.send(at, int(about[0]))
        else:
            _try_card(contracts, planted.cards[int(about[0])], at, int(about[1]))


def _try_card(contracts: Contracts, burst: tuple[int, int, int, int], at: int, k: int) -> None:
    """One of a burst of small payments into a wallet with stolen cards; all but the last are refused."""
    _, client, cents, count = burst
    desk = contracts.desk
    currency = people.currency_of(int(desk.clients.country[client]))
    amount = Money(int(posts.minor(cents / 100 + k / 10, currency)), currency)
    card, failure = ("tok_visa", "") if k == count - 1 else ("tok_declined", "declined")
    contracts.ledger.payment(at, int(desk.clients.user_id[client]), amount, None, opaque_key("card", client, k), card=card, failure=failure)


def _reset_sequences(models: list[type[Model]]) -> None:
    """Let the database's own numbering go on after the rows given explicit ids (where it does not do so by itself)."""
    for statement in connection.ops.sequence_reset_sql(no_style(), models):
        with connection.cursor() as cursor:
            cursor.execute(statement)
