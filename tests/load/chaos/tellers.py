"""The processes of the chaos bench: tellers that do deals, a clerk that polls the gateway and delivers the outbox, and what recovers after them.

Each is a fork with one connection, and says over a pipe what it is about to do, so that whoever kills it knows what was interrupted:

    N <id>     connected, under this number        B <key>       an act begins
    W <what>   a write is sent                     C <what>      a commit is sent            A            it is committed
    G <call>   the gateway is called               g             it has answered             F <fault>    its answer is taken away or held back
    E <code>   the database did not do it          D|R|X <key>   the act is done, refused, or failed in a way that nobody may see

A teller's journal holds the acts ("I key", then "D key", "R key" or "X key"): what is in it was written before the process went on.
"""

from __future__ import annotations

import os
import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.db.transaction import TransactionManagementError

from marketplace.core import clock, events
from marketplace.core import tasks as core_tasks
from marketplace.core.errors import Conflict, IdempotencyConflict, Unavailable
from marketplace.core.models import Delivery
from marketplace.payments import providers, services, tasks
from marketplace.payments.ledger import accounts
from marketplace.payments.models import Account, Payment, PaymentRefund, Payout, Posting
from marketplace.payments.providers.sandbox import Sandbox
from tests.webapp.payments.crash import Recorder
from tests.webapp.races.bank_teller import Journal

from . import deals

#: seconds between two shared deals, and between two of their acts: tellers come to them together
SLOT, STEP = 0.45, 0.06
#: what the database answers, or not, when the connection or the server is gone
GONE = frozenset({0, 1053, 1317, 1927, 2002, 2003, 2006, 2013, 2055, 4031})
#: of so many calls to the gateway one is refused, one loses its answer, one is answered late
GATEWAY_FAULTS = {"refused": 0.04, "lost": 0.06, "late": 0.05}
_APPS = ("contracts.", "payments.")


@dataclass(frozen=True)
class Post:
    """Where a process works: its round and lane, how many it has been there, and whether rows are locked."""

    seed: int
    round: int
    lane: int
    incarnation: int
    locks: bool
    began: float
    shared: int
    own: int

    @property
    def dice(self) -> random.Random:
        return random.Random(f"{self.seed}:{self.round}:{self.lane}:{self.incarnation}")

    def number(self, lane: int, n: int) -> int:
        return self.round * deals.ROUND + lane * deals.LANE + n


def configure(locks: bool = True) -> None:
    """An installation with the sandbox alone, without Redis, that pays out at once; without `locks` no row of it is ever locked."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.PAYMENT_PROVIDERS = ["sandbox"]
    settings.VELOCITY_MODES = dict.fromkeys(settings.VELOCITY_MODES, "off")
    settings.FIRST_PAYOUT_HOLD_HOURS = settings.PAYOUT_METHOD_WAIT_HOURS = 0
    settings.BUSINESS_CLOCK_MOVABLE = False
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    core_tasks.deliver_events.delay = lambda: None  # nobody hears the wake-up: the sweep has to find what is due
    tasks.GRACE = timedelta(0)  # the clerk asks about what a teller is at work on
    for handlers in events._handlers.values():
        for name in [n for n in handlers if not n.startswith(_APPS)]:
            del handlers[name]
    if not locks:
        connection.features.has_select_for_update = False


class Voice(Recorder):
    """Says over the pipe what the process does to its database. It does no faults: they come from outside."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe
        #: whether the connection was lost, in whatever words that reached the caller
        self.cut_off = False

    def say(self, mark: str, what: str = "") -> None:
        os.write(self._pipe, f"{mark} {what[:60]}\n".encode())

    def here(self, kind: str, what: str) -> str:
        self.say("C", what)
        return ""

    def wrote(self, what: str) -> None:
        super().wrote(what)
        self.say("W", what)

    def _at_commit(self, what: str, do: Callable[[], Any]) -> Any:
        result = super()._at_commit(what, lambda: self.heard(do))
        self.say("A")
        return result

    def heard(self, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except (OperationalError, InterfaceError) as e:
            code = int(e.args[0]) if e.args else 0
            self.cut_off = self.cut_off or code in GONE
            self.say("E", str(code))
            raise

    def begin(self) -> None:
        """Say everything from now on."""
        self._said = self.watching()
        self._said.__enter__()
        connection.execute_wrappers.append(lambda execute, *given: self.heard(lambda: execute(*given)))
        connection_created.connect(self._connected)

    def _connected(self, connection: Any, **_: Any) -> None:
        self.say("N", str(connection.connection.thread_id()))


class Moody(Sandbox):
    """The sandbox, whose answers do not always come, or come late."""

    def __init__(self, voice: Voice, dice: random.Random) -> None:
        self._voice, self._dice = voice, dice

    def _call(self, name: str, given: dict[str, Any]) -> Any:
        self._voice.say("G", name)
        ask = getattr(super(), name)
        fault = self._dice.choices((*GATEWAY_FAULTS, ""), (*GATEWAY_FAULTS.values(), 1 - sum(GATEWAY_FAULTS.values())))[0]
        if fault:
            self._voice.say("F", f"{fault} {name}")
        if fault == "refused":
            raise Unavailable("sandbox", "It was not reached.")
        answer = ask(**given)
        if fault == "late":
            time.sleep(self._dice.uniform(0.03, 0.12))  # others ask about the same meanwhile, and hear first
        self._voice.say("g")
        if fault == "lost":
            raise Unavailable("sandbox", "No answer came.")
        return answer

    def create_payment(self, **given: Any) -> Any:
        return self._call("create_payment", given)

    def refund(self, **given: Any) -> Any:
        return self._call("refund", given)

    def pay_out(self, **given: Any) -> Any:
        return self._call("pay_out", given)

    def fetch_payment(self, **given: Any) -> Any:
        return self._call("fetch_payment", given)

    def fetch_refund(self, **given: Any) -> Any:
        return self._call("fetch_refund", given)

    def fetch_payout(self, **given: Any) -> Any:
        return self._call("fetch_payout", given)


def done(seed: int, key: str, voice: Voice | None = None) -> str:
    """Do the act of the key, whatever gets in the way: D, R when it was refused, X when it failed in a way that no caller may see."""
    act, failed = deals.act_of(seed, key), ""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if voice is not None:
            voice.cut_off = False
        try:
            try:
                act()
                return "D"
            except Conflict as e:
                there = deals.Books(seed, [key]).there(key)
                # its price is less by now, so the same key stands for another amount
                if isinstance(e, IdempotencyConflict) and not (there and deals.price_fell(seed, key)):
                    raise
                return "D" if there else "R"
        except (OperationalError, InterfaceError, Unavailable) as e:
            if voice is not None and not isinstance(e, Unavailable):
                voice.say("E", str(e.args[0] if e.args else 0))
            if isinstance(e, OperationalError) and e.args and e.args[0] not in GONE:
                failed = f"{type(e).__name__}: {e}"
                break
            if not isinstance(e, Unavailable):
                connection.close()
            time.sleep(0.02)
        except TransactionManagementError as e:
            if voice is None or not voice.cut_off:
                failed = f"{type(e).__name__}: {e}\n{traceback.format_exc()}"
                break
            connection.close()  # it was lost while a savepoint was given up, which Django tells in this way
        except Exception as e:
            failed = f"{type(e).__name__}: {e}\n{traceback.format_exc()}"
            break
    connection.close()
    _complain(key, failed or "it came to no end")
    return "X"


def _complain(key: str, what: str) -> None:
    if complaints := os.environ.get("OPENLANCE_CHAOS_COMPLAINTS"):
        with Path(complaints).open("a") as file:
            file.write(f"{key}: {what}\n")


class Teller:
    """One process's work; see the module."""

    def __init__(self, post: Post, journal: Path, pipe: int) -> None:
        configure(post.locks)
        self.post, self.path = post, journal
        self.known = read_journal(journal)
        self.log, self.voice = Journal(journal), Voice(pipe)
        moody = Moody(self.voice, post.dice)
        providers._made = lambda name, credentials: moody  # type: ignore[assignment]
        self.voice.begin()
        self.stop = journal.parent / "stop"

    def work(self) -> None:
        """Deals of the own lane and, when their time has come, those that are everybody's, until the stop file is there."""
        post = self.post
        for key, mark in list(self.known.items()):
            if mark == "I":  # whoever got no answer asks once more
                self.do(key)
        slot = int((time.time() - post.began) / SLOT)  # what began without us goes on without us
        n = 0
        while not self.stop.exists():
            now = int((time.time() - post.began) / SLOT)
            if now > slot and now < post.shared:
                slot = now
                self.deal(post.number(deals.SHARED, slot), post.began + slot * SLOT)
            elif n < post.own:
                self.deal(post.number(post.lane, n))
                n += 1
            else:
                time.sleep(0.01)

    def deal(self, pk: int, at: float | None = None) -> None:
        for i, key in enumerate(deals.deal(self.post.seed, pk).keys(self.post.lane % 2)):
            if self.stop.exists():
                return
            if at is not None:
                time.sleep(max(0.0, at + i * STEP - time.time()))
            if key not in self.known and self.do(key) != "D" and at is None:
                return  # nothing more is possible here

    def do(self, key: str) -> str:
        self.log.note("I", key)
        self.voice.say("B", key)
        mark = done(self.post.seed, key, self.voice)
        self.known[key] = mark
        self.log.note(mark, key)
        self.voice.say(mark, key)
        return mark

    def serve(self) -> None:
        """The clerk's work: what is open is asked about, what is due is delivered."""
        while not self.stop.exists():
            try:
                self.voice.say("B", "clerk")
                did = tasks.poll_unsettled()
                for i in core_tasks.due_delivery_ids():
                    did += core_tasks.deliver_one(i)
                self.voice.say("D", "clerk")
                connection.close_if_unusable_or_obsolete()
                time.sleep(0.0 if did else 0.02)
            except (OperationalError, InterfaceError) as e:
                self.voice.say("E", str(e.args[0] if e.args else 0))
                connection.close()
                time.sleep(0.02)


def read_journal(path: Path) -> dict[str, str]:
    """key → its last mark, in the order in which they were begun."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        mark, key = line.split()
        found[key] = mark
    return found


def replay(seed: int, locks: bool, journals: Sequence[dict[str, str]]) -> dict[str, str]:
    """Everything that was begun once more, in its order; key → D, R or X. Then what is open is settled."""
    configure(locks)
    said = {key: done(seed, key) for journal in journals for key in journal}
    settle()
    return said


def settle() -> None:
    """The poller and the outbox until nothing is open, as hours would. Who held a claim is dead."""
    for _ in range(12):
        connection.close_if_unusable_or_obsolete()
        tasks.poll_unsettled()
        undone = Delivery.objects.exclude(state="done")
        undone.exclude(state="dead").update(next_try_at=clock.now())
        for i in core_tasks.due_delivery_ids():
            core_tasks.deliver_one(i)
        if not any(unsettled().values()):
            return


def unsettled() -> dict[str, int]:
    """What is still open, by its table."""
    return {
        "payments": Payment.objects.filter(state__in=("created", "pending")).count(),
        "refunds": PaymentRefund.objects.filter(state__in=("created", "pending")).count(),
        "payouts": Payout.objects.filter(state__in=("requested", "held", "sent")).count(),
        "deliveries": Delivery.objects.exclude(state="done").count(),
    }


def broken(locks: bool = True) -> list[str]:
    """Every violation of the nine invariants."""
    configure(locks)
    return [f"{v.rule} ({v.row}: {v.detail})" for v in services.ledger_check().violations]


def differs_from_the_gateway() -> list[str]:
    """Where the sandbox holds another amount for us than our clearing accounts say, and what never came to an end."""
    wrong = [f"unsettled {name} ({count})" for name, count in unsettled().items() if count]
    theirs = {currency: money.minor for currency, money in Sandbox().balances().items()}
    for currency, minor in theirs.items():
        account = Account.objects.filter(key=accounts.clearing("sandbox", currency).key).first()
        moves = [Posting.objects.filter(**{side: account}).values_list("amount", flat=True) for side in ("debit_account", "credit_account")]
        if sum(moves[0]) - sum(moves[1]) != minor:
            wrong.append(f"clearing_is_the_gateways_balance ({currency}: {sum(moves[0]) - sum(moves[1])}, there {minor})")
    return wrong
