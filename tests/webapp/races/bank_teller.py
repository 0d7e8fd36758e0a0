"""The tellers of the bank test: forks of the test's process that move money in threads on the bank's own server, until they are told to stop.

Each act is written to the teller's journal before it is done ("I key") and after it was done ("D key") or refused ("R key"). A key says all about its
act, so that anybody can do it again. Whatever the database answers, the act is tried again under its key until it is done or refused.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, connections

from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import fees, services

PAYERS, FREELANCERS, PURSE = 3, 2, 1_000_000
#: every so many acts a thread does one that a thread of every other teller does too
SHARED = 5
#: a fork must not say goodbye to the server on the connection of the process that it was
_INHERITED: list[Any] = []


def fork(socket: str, level: str, act: Callable[[], None]) -> int:
    """Run `act` in a process of its own, on the bank's database; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        there = connections.databases["default"]
        there.update(NAME="bank", HOST="", PORT="", USER="root", PASSWORD="")
        there["OPTIONS"] = {**there["OPTIONS"], "unix_socket": socket, "isolation_level": level}
        _INHERITED.append(connections["default"])
        del connections["default"]
        act()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def prepare() -> None:
    """The people, and a purse for each payer through the sandbox."""
    fees.lay_standard()
    for pk in range(1, PAYERS + FREELANCERS + 1):
        get_user_model().objects.create(pk=pk, email=f"u{pk}@example.org", display_name=f"U{pk}")
    for pk in range(1, PAYERS + 1):
        asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": f"purse-{pk}"}
        services.payment_start(actor_id=pk, amount=Money(PURSE, "USD"), **asked)


def act_of(key: str) -> Callable[[], Any]:
    """What a key stands for: "<milestone>:<step>" holds 30, pays 20 of it out, gives 10 back."""
    milestone, step = map(int, key.split(":"))
    common = {"contract_id": 1, "milestone_id": milestone, "actor_id": None, "rule": "bank_test"}
    payer, payee = 1 + milestone % PAYERS, 1 + PAYERS + milestone % FREELANCERS
    if step == 0:
        return lambda: services.hold(payer_id=payer, amount=Money(30, "USD"), **common)
    if step == 1:
        paid = {"payee_id": payee, "gross": Money(20, "USD"), "payee_currency": "USD", "fee_schedule": "standard-1"}
        return lambda: services.release(**paid, **common)
    return lambda: services.refund(payer_id=payer, amount=Money(10, "USD"), reason="bank test", **common)


def done(key: str) -> bool:
    """Do the act of the key, whatever gets in the way; False when it was refused."""
    act = act_of(key)
    while True:
        try:
            run_in_transaction(act)
            return True
        except Conflict:
            return False
        except (DatabaseError, Unavailable):
            connection.close()
            time.sleep(0.05)


class Journal:
    """Lines that outlive the process: each is with the system before the act goes on."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, mark: str, key: str) -> None:
        os.write(self._file, f"{mark} {key}\n".encode())


def work(teller: int, threads: int, journal: Path) -> None:
    """Threads with milestones of their own, and some that all tellers know, until the stop file is there."""
    log, stop = Journal(journal), journal.with_suffix(".stop")

    def one(thread: int) -> None:
        n = 0
        while not stop.exists():
            milestone = (9_000_000 if n % SHARED == 0 else 1_000_000 * (teller + 1)) + 10_000 * thread + n
            for step in range(3):
                key = f"{milestone}:{step}"
                log.note("I", key)
                log.note("D" if done(key) else "R", key)
            n += 1

    def watched(thread: int) -> None:
        try:
            one(thread)
        except BaseException:  # a thread that dies alone would look like a slow one
            traceback.print_exc()
            os._exit(4)

    pool = [threading.Thread(target=watched, args=(t,), daemon=True) for t in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()


def replay(journal: Path) -> None:
    """Everything that was ever begun, once more, in its order."""
    for key in dict.fromkeys(line.split()[1] for line in journal.read_text().splitlines()):
        if not done(key):
            raise SystemExit(f"{key} is refused: an act before it was lost")
