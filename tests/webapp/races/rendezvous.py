"""Meeting points for rivals: a row lock that the test holds, or a barrier. Nothing here sleeps for luck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection, connections, transaction
from django.db.models import QuerySet

from marketplace.contracts.models import Contract

PATIENCE = 20.0
WEBAPP = Path(__file__).resolve().parents[3] / "webapp"


def _rival(act: Callable[[], Any], before: Callable[[], None], outcomes: list[Any], i: int) -> threading.Thread:
    def run() -> None:
        try:
            before()
            outcomes[i] = act()
        except Exception as e:  # the outcome under test may be a refusal
            outcomes[i] = e
        finally:
            connections.close_all()

    return threading.Thread(target=run, daemon=True)


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a rival never came to an end"


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run the acts in threads that leave one barrier together; their results, or the exceptions they raised."""
    barrier, outcomes = threading.Barrier(len(acts)), [None] * len(acts)
    threads = [_rival(act, lambda: barrier.wait(PATIENCE) and None, outcomes, i) for i, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    _join(threads)
    return outcomes


def behind_the_lock(row: int | QuerySet[Any], *acts: Callable[[], Any]) -> list[Any]:
    """Hold the lock of a contract (its id) or of another row until every act waits, let go, and return their results or exceptions.

    Fails when an act does not wait: then it decided without the lock, and the race is open.
    """
    rows: QuerySet[Any] = Contract.objects.filter(pk=row) if isinstance(row, int) else row
    outcomes: list[Any] = [None] * len(acts)
    ids: list[int] = []

    def introduce() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            ids.append(cursor.fetchone()[0])

    threads = [_rival(act, introduce, outcomes, i) for i, act in enumerate(acts)]
    try:
        with transaction.atomic():
            rows.select_for_update().get()
            for thread in threads:
                thread.start()
            waiting = _until_waiting(ids, threads)
    finally:
        _join(threads)
    assert waiting, f"an act did not wait for the lock: {outcomes}"
    return outcomes


def _until_waiting(ids: list[int], threads: list[threading.Thread]) -> bool:
    """True once InnoDB reports that all rivals wait for a lock; False when one ends without waiting, or patience does."""
    deadline = time.monotonic() + PATIENCE / 2.5  # under the ten seconds after which the database itself gives up
    while time.monotonic() < deadline:
        if len(ids) == len(threads):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id IN %s",
                    [tuple(ids)],
                )
                if cursor.fetchone()[0] == len(threads):
                    return True
        if any(not thread.is_alive() for thread in threads):
            return False
        threads[0].join(0.11)  # InnoDB refreshes this view every 100 ms
    return False


def die_in_a_process(code: str) -> None:
    """Run code in a process of its own on the test's database and assert that it was killed by SIGKILL, not ended."""
    database = str(connection.settings_dict["NAME"])
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "OPENLANCE_DB_NAME": database, "PYTHONPATH": str(WEBAPP)}
    start = "import os, signal, django; django.setup()\ndie = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
    ended = subprocess.run([sys.executable, "-c", start + code], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
