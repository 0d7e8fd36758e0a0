"""Faults at every commit and every call to a gateway, found by running: nobody writes down where they are.

A scenario runs in a process of its own (a fork of the test's, with its own connection to the database). Once it runs whole while a `Recorder`
counts what passes: each commit, each write that commits by itself, each call to the bank. Then it runs again for each of them and each way in
which it can go wrong there. A new commit or call in the product joins by itself.
"""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Client, Listener
from typing import Any

from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from marketplace.core.errors import Unavailable
from marketplace.core.money import Money
from marketplace.payments.providers.base import Capture, FetchedDispute, FetchedRefund, Result, Unknown

from .house_bank import HouseBank

#: killed: the process is gone, and with it whatever it had not committed. cut: the server ends the connection, the process lives and gets an error.
#: unheard: it was committed, but the answer never came
COMMIT_FAULTS = ("killed before", "cut before", "unheard", "killed after")
#: killed during: the bank has the request, nobody waits for its answer. refused: it never got there. lost: it is done, but the answer never comes
CALL_FAULTS = ("killed before", "refused", "killed during", "lost", "killed after")
_WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\s+(?:IGNORE\s+)?(?:INTO\s+|FROM\s+)?`?(\w+)", re.IGNORECASE)
PATIENCE = 60


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Recorder:
    """Counts the places as they are passed; at the `place` wished for it does the fault. Places are numbered from 0."""

    def __init__(self, place: int | None = None, fault: str = "") -> None:
        self.place, self.fault = place, fault
        self.passed: list[tuple[str, str]] = []

    def here(self, kind: str, what: str) -> str:
        """Pass a place; the fault to do here, or nothing."""
        self.passed.append((kind, what))
        return self.fault if len(self.passed) - 1 == self.place else ""

    def wrote(self, what: str) -> None:
        """A write is about to be done."""
        self._last = what

    @contextmanager
    def watching(self) -> Iterator[None]:
        """With commits and writes of this process's connection recorded."""
        original = BaseDatabaseWrapper.commit
        recorder = self

        def commit(wrapper: BaseDatabaseWrapper) -> None:
            recorder._at_commit(f"commit after {recorder._last}", lambda: original(wrapper))

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            write = _WRITE.match(sql)
            if write and write[2] != "core_businessclock":  # the test's own way to let time pass
                recorder.wrote(f"{write[1]} {write[2]}")
                if not connection.in_atomic_block:
                    return recorder._at_commit(recorder._last, lambda: execute(sql, params, many, context))
            return execute(sql, params, many, context)

        self._last = "nothing"
        BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
        try:
            with connection.execute_wrapper(watch):
                yield
        finally:
            BaseDatabaseWrapper.commit = original  # type: ignore[method-assign]

    def _at_commit(self, what: str, do: Callable[[], Any]) -> Any:
        fault = self.here("commit", what)
        if fault == "killed before":
            die()
        if fault == "cut before":
            _cut()
        result = do()
        if fault == "killed after":
            die()  # what waits for the commit (on_commit) has not run
        if fault == "unheard":
            _cut()
            raise OperationalError(2013, "Lost connection to server during query")
        return result


def _cut() -> None:
    """The server ends the connection under us."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("KILL CONNECTION %s", [connection.connection.thread_id()])
    other.close()


class BankServer:
    """The bank in the test's own process, behind a socket: it outlives every process that calls it."""

    def __init__(self) -> None:
        self.bank = HouseBank()
        self._listener = Listener(("127.0.0.1", 0))
        self.address = self._listener.address
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                with self._listener.accept() as line:
                    name, given = line.recv()
                    if name == "close":
                        return
                    line.send(getattr(self.bank, name)(**given) if name != "quiet" else None)
            except (EOFError, ConnectionError, pickle.PickleError):
                continue  # whoever called is gone

    def quiet(self) -> None:
        """Returns when everything that was sent before has been done."""
        self.ask("quiet")

    def close(self) -> None:
        with Client(self.address) as line:
            line.send(("close", {}))
        self._listener.close()

    def ask(self, name: str, **given: Any) -> Any:
        """What others than us ask the bank: no place for faults."""
        with Client(self.address) as line:
            line.send((name, given))
            return line.recv()


class BankLine(HouseBank):
    """The adapter: each call that asks the bank is one request over the socket, and one place for faults."""

    def __init__(self, server: BankServer) -> None:
        super().__init__()
        self.server = server
        self.recorder = Recorder()

    def _call(self, name: str, **given: Any) -> Any:
        fault = self.recorder.here("call", name)
        if fault == "killed before":
            die()
        if fault == "refused":
            raise Unavailable("bank", "not reached")
        with Client(self.server.address) as line:
            line.send((name, given))
            if fault == "killed during":
                die()
            answer = line.recv()
        if fault == "killed after":
            die()
        if fault == "lost":
            raise Unavailable("bank", "no answer")
        return answer

    def _ask(self, name: str, **given: Any) -> Result:
        try:
            return self._call(name, **given)  # type: ignore[no-any-return]
        except Unavailable as e:
            return Unknown(e.code)

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        return self._ask("create_payment", key=key, amount=amount, method=method)

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        return self._ask("pay_out", key=key, amount=amount, method=method)

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        return self._ask("refund", key=key, payment_ref=payment_ref, amount=amount)

    def cancel(self, *, key: str, ref: str) -> Result:
        return self._ask("cancel", key=key, ref=ref)

    def fetch_payment(self, *, ref: str) -> Any:
        return self._call("fetch_payment", ref=ref)

    def fetch_payout(self, *, ref: str) -> Any:
        return self._call("fetch_payout", ref=ref)

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        return self._call("fetch_refund", ref=ref)  # type: ignore[no-any-return]

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        return self._call("fetch_dispute", ref=ref)  # type: ignore[no-any-return]


def in_a_process(line: BankLine, act: Callable[[], Any], place: int | None = None, fault: str = "") -> tuple[str, list[tuple[str, str]]]:
    """Run `act` in a fork of this process, with the fault at the place: ("ended" | "failed" | "killed", places that were passed).

    Fails when the process comes to no end, or dies of something else.
    """
    connections.close_all()  # a fork that ends would end the parent's connection with it
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(PATIENCE)
            line.recorder = Recorder(place, fault)
            try:
                with line.recorder.watching():
                    act()
                code = 0
            except Exception:
                code = 3
                if not fault:
                    traceback.print_exc()
            os.write(writing, pickle.dumps(line.recorder.passed))
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    line.server.quiet()
    passed = pickle.loads(said) if said else []
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return "killed", passed
    how = {0: "ended", 3: "failed"}.get(os.WEXITSTATUS(status))
    assert how, f"the process ended with {os.WEXITSTATUS(status)}"
    return how, passed
