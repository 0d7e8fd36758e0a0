"""make bench NAME=ledger: transfers a second through the services, beside the same statements sent raw.

A transfer is a three-leg release (net, fee, tax) with its entry, its cached balances and an event, in one transaction; MariaDB flushes its log
at every commit, on a real disk, in an instance of the bench's own. `raw` sends the same statements, as many and with as many rows, through
mysqlclient with ready values: what the database and the driver cost without us. Both run in the same worker processes, in turns, and the
medians of the rounds are compared. `hot`: eight workers, every release to the same freelancer. `batched`: the services called BATCH times inside one
transaction of the caller, beside as many raw transfers in one. A deadlock or lock time-out that reaches the caller of a service is counted, and none may.

    python tests/load/ledger_bench.py [--rounds 3] [--seconds 1.5]
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing as mp
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
FOLDER = REPO / "var" / "bench" / "ledger-db"
RESULT = REPO / "var" / "bench" / "ledger.json"
WORKERS = 8
BATCH = 20
#: scenario → (workers, all releases to one freelancer, transfers in a transaction)
SCENARIOS = {
    "1": (1, False, 1),
    "4": (4, False, 1),
    "8": (8, False, 1),
    "hot": (8, True, 1),
    "1_batched": (1, False, BATCH),
    "8_batched": (8, False, BATCH),
}
GROSS = 10_001
SCHEDULE = "bench"
TARGET = 0.6
CLIENT_ID = 1000


def setup_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.services"
    os.environ["OPENLANCE_DB_NAME"] = "openlance_bench"
    import django

    django.setup()


def lay_tables() -> None:
    """Migrate, and fund one hold for each worker."""
    import MySQLdb
    from django.conf import settings

    db = settings.DATABASES["default"]
    admin = MySQLdb.connect(user=db["USER"], passwd=db["PASSWORD"], unix_socket=db["OPTIONS"]["unix_socket"])
    admin.cursor().execute("CREATE DATABASE openlance_bench CHARACTER SET utf8mb4")
    admin.close()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)

    from marketplace.accounts.models import User
    from marketplace.core.money import Money
    from marketplace.core.transactions import run_in_transaction
    from marketplace.payments import services
    from marketplace.payments.models import FeeSchedule

    FeeSchedule.objects.create(version=SCHEDULE, freelancer_fee_bps=1_000, tax_bps=1_900, active_from=datetime(2026, 1, 1, tzinfo=UTC))
    User.objects.create(pk=CLIENT_ID, email="client@example.org", display_name="Client")
    purse = Money(10**11, "USD")
    for worker in range(WORKERS):
        User.objects.create(pk=worker + 1, email=f"freelancer-{worker}@example.org", display_name=f"Freelancer {worker}")
        services.payment_start(
            actor_id=CLIENT_ID,
            amount=purse,
            purpose="wallet",
            purpose_id=None,
            method={"token": "tok_visa"},
            idempotency_key=f"bench-{worker}",
        )
        held = {"contract_id": 1, "milestone_id": worker + 1, "payer_id": CLIENT_ID, "amount": purse, "actor_id": None, "rule": "bench"}
        run_in_transaction(lambda held=held: services.hold(**held))  # type: ignore[misc]


def transfer_ours(worker: int, payee: int, numbers: Sequence[int]) -> None:
    """Releases as the contract's services make them, each the movement and the event; all of them in one unit of work."""
    from marketplace.core import events
    from marketplace.core.money import Money
    from marketplace.core.transactions import run_in_transaction
    from marketplace.payments import services

    def one(number: int) -> None:
        entry = services.release(
            contract_id=1,
            milestone_id=worker + 1,
            payee_id=payee,
            gross=Money(GROSS, "USD"),
            payee_currency="USD",
            fee_schedule=SCHEDULE,
            actor_id=None,
            rule="bench",
            part=number,
        )
        events.record(aggregate=entry, kind="entry.release", actor_id=None, after={"gross_minor": GROSS}, reason="bench")

    def work() -> None:
        for number in numbers:
            run_in_transaction(functools.partial(one, number))

    run_in_transaction(work)


class Raw:
    """The statements of one transfer, with ready values, on a plain connection."""

    def __init__(self) -> None:
        import MySQLdb
        from django.conf import settings

        options = settings.DATABASES["default"]["OPTIONS"]
        self.connection = MySQLdb.connect(
            user="root",
            passwd="",
            db="openlance_bench",
            unix_socket=options["unix_socket"],
            charset="utf8mb4",
            init_command=options["init_command"],
        )
        self.connection.autocommit(False)
        with self.connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.errors = MySQLdb.OperationalError

    def statements(self, worker: int, payee: int, number: int) -> list[tuple[str, Callable[[], tuple[Any, ...]]]]:
        at = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        keys = (f"hold:{worker + 1}:USD", f"pending:{payee}:USD", "fees:USD", "tax:USD")
        digest = "0" * 64
        quote = '{"fee_schedule":"bench","currency":"USD","gross":10001,"fee":1000,"tax":190,"net":8811}'
        a: dict[str, int] = {}

        def know(rows: Any) -> None:
            a.update(dict(rows))

        self.know = know

        def cached() -> tuple[int, int]:
            return a[keys[0]], a[keys[1]]

        def postings() -> tuple[Any, ...]:
            hold, pending, fees, tax = (a[k] for k in keys)
            entry = self.entry_id
            return (
                *(entry, 1, "net", hold, pending, 8811, "USD", at),
                *(entry, 2, "fee", hold, fees, 1000, "USD", at),
                *(entry, 3, "tax", hold, tax, 190, "USD", at),
            )

        def moved() -> tuple[int, ...]:
            hold, pending = cached()
            return (hold, -10_001, pending, 8_811, hold, 3, pending, 1, hold, pending)

        entry_values = (
            "release",
            f"raw:{worker}:{number}",
            digest,
            3,
            "milestone",
            worker + 1,
            1,
            GROSS,
            None,
            quote,
            None,
            "bench",
            "",
            at,
        )
        return [
            ("SELECT quote, fx_rate_id FROM payments_entry WHERE idempotency_key = %s", lambda: (f"raw:{worker}:{number}",)),
            ("SELECT `key`, id FROM payments_account WHERE `key` IN (%s, %s, %s, %s)", lambda: keys),
            (
                "SELECT account_id, available FROM payments_accountbalance WHERE account_id IN (%s, %s) ORDER BY account_id FOR UPDATE",
                lambda: tuple(sorted(cached())),
            ),
            (
                "INSERT INTO payments_entry (kind, idempotency_key, payload_hash, posting_count, subject_type, subject_id, contract_id, "
                "gross_minor, fx_rate_id, quote, actor_id, rule, reason, occurred_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                lambda: entry_values,
            ),
            (
                "INSERT INTO payments_posting (entry_id, line_no, leg, debit_account_id, credit_account_id, amount, currency, occurred_at) VALUES "
                + ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * 3),
                postings,
            ),
            (
                "UPDATE payments_accountbalance SET available = available + CASE account_id WHEN %s THEN %s WHEN %s THEN %s END, "
                "postings = postings + CASE account_id WHEN %s THEN %s WHEN %s THEN %s END WHERE account_id IN (%s, %s)",
                moved,
            ),
            (
                "SELECT MAX(version) FROM core_event WHERE aggregate_type = %s AND aggregate_id = %s",
                lambda: ("payments.entry", self.entry_id),
            ),
            (
                "INSERT INTO core_event (aggregate_type, aggregate_id, version, kind, actor_id, `before`, `after`, reason, occurred_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                lambda: ("payments.entry", self.entry_id, 1, "entry.release", None, "{}", '{"gross_minor": 10001}', "bench", at),
            ),
        ]

    def transfer(self, worker: int, payee: int, numbers: Sequence[int]) -> None:
        while True:
            try:
                with self.connection.cursor() as cursor:
                    for number in numbers:
                        self._one(cursor, worker, payee, number)
                self.connection.commit()
                return
            except self.errors as e:
                self.connection.rollback()
                if e.args[0] not in (1213, 1205):
                    raise

    def _one(self, cursor: Any, worker: int, payee: int, number: int) -> None:
        for n, (sql, values) in enumerate(self.statements(worker, payee, number)):
            cursor.execute(sql, values())
            if n == 1:
                self.know(cursor.fetchall())
            elif n == 3:
                self.entry_id = cursor.lastrowid
            elif sql.startswith("SELECT"):
                cursor.fetchall()


def same_number_of_statements() -> int:
    """Count what one of ours sends and compare with the raw list; the bench means nothing when they differ."""
    from django.db import connection

    seen: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    transfer_ours(0, 1, [900_000])  # makes the accounts
    with connection.execute_wrapper(watch):
        transfer_ours(0, 1, [900_001])
    raw = len(Raw().statements(0, 1, 1))
    if len(seen) != raw:
        raise SystemExit(f"ours sends {len(seen)} statements, raw {raw}: mend the bench.\n" + "\n".join(seen))
    return raw


def work(worker: int, pipe: Connection) -> None:
    """A worker process: waits for (which, hot, batch, start, seconds), answers how many transfers it made, in what time, and what surfaced."""
    setup_django()
    from django.db import OperationalError

    from marketplace.core.errors import Unavailable

    raw = Raw()
    number = 0
    transfer_ours(worker, worker + 1, [800_000])
    raw.transfer(worker, worker + 1, [800_000])
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        which, hot, batch, start, seconds = order
        transfer = transfer_ours if which == "ours" else raw.transfer
        payee = 1 if hot else worker + 1
        time.sleep(max(0.0, start - time.time()))
        done = surfaced = 0
        while time.time() < start + seconds:
            numbers = range(number + 1, number + batch + 1)
            number += batch
            try:
                transfer(worker, payee, numbers)
                done += batch
            except (OperationalError, Unavailable):
                surfaced += 1
        pipe.send((done, time.time() - start, surfaced))


def measure(pipes: list[Connection], which: str, scenario: str, seconds: float) -> tuple[float, int]:
    """Transfers a second of all the scenario's workers together, and the conflicts that their callers saw."""
    count, hot, batch = SCENARIOS[scenario]
    start = time.time() + 0.05
    for pipe in pipes[:count]:
        pipe.send((which, hot, batch, start, seconds))
    answers = [pipe.recv() for pipe in pipes[:count]]
    return sum(done / took for done, took, _ in answers), sum(surfaced for _, _, surfaced in answers)


def deadlocks() -> int:
    """How many the server has found since it started; those of ours were retried unless they surfaced."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        row = cursor.fetchone()
    return int(row[1]) if row else 0


@dataclass
class Found:
    """scenario → ours and raw → transfers a second of each round, and what went wrong on the way."""

    rates: dict[str, dict[str, list[float]]]
    surfaced: int = 0
    deadlocks: int = 0


def run(rounds: int, seconds: float) -> Found:
    context = mp.get_context("spawn")
    pipes, processes = [], []
    for worker in range(WORKERS):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(worker, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    found = Found({s: {"ours": [], "raw": []} for s in SCENARIOS})
    before = deadlocks()
    for n in range(rounds):
        for scenario in SCENARIOS:
            for which in ("ours", "raw") if n % 2 == 0 else ("raw", "ours"):
                rate, surfaced = measure(pipes, which, scenario, seconds)
                found.rates[scenario][which].append(rate)
                found.surfaced += surfaced
    found.deadlocks = deadlocks() - before
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join(10)
    return found


def tell(found: Found, statements: int, arguments: list[str]) -> bool:
    """Write the result file and print the table; returns whether every unbatched ratio reaches the target and no conflict surfaced."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "workers", "ours/s", "raw/s", "ratio", "target", title=f"ledger: three-leg release, {statements} statements, flush at commit"
    )
    results: list[dict[str, Any]] = []
    reached = True
    for scenario, rates in found.rates.items():
        ours, raw = median(rates["ours"]), median(rates["raw"])
        ratio = round(ours / raw, 3)
        batched = SCENARIOS[scenario][2] > 1
        table.add_row(scenario, f"{ours:.0f}", f"{raw:.0f}", f"{ratio:.2f}", "" if batched else f">= {TARGET}")
        results.append({"metric": f"ours_over_raw_{scenario}", "value": ratio, "unit": "ratio", "against": round(raw, 1), "ratio": ratio})
        if scenario == "8":
            results.append(
                {"metric": "per_second_8", "value": round(ours, 1), "unit": "transfers/s", "against": round(raw, 1), "ratio": ratio}
            )
        reached = reached and (batched or ratio >= TARGET)
    results.append({"metric": "conflicts_surfaced", "value": found.surfaced, "unit": "count"})
    results.append({"metric": "deadlocks_retried", "value": found.deadlocks, "unit": "count"})
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version(), "load": os.getloadavg()}
    command = " ".join(["python", "tests/load/ledger_bench.py", *arguments])
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"name": "ledger", "command": command, "seed": 0, "machine": machine, "results": results}, indent=1) + "\n"
    )
    Console().print(table)
    Console().print(
        f"{found.surfaced} conflicts surfaced; {found.deadlocks} deadlocks were found by the server, of ours and of raw, and retried"
    )
    return reached and not found.surfaced


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    from infra.local import services as local

    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        os.environ.update(local.start_mariadb(FOLDER, durable=True))
        setup_django()
        lay_tables()
        statements = same_number_of_statements()
        found = run(options.rounds, options.seconds)
        from marketplace.payments import services

        report = services.ledger_check(invariants=(1, 2, 3, 4, 5, 6, 7, 8))
        broken = {v.rule for v in report.violations} - {"entry_payload_hash"}  # raw's entries carry no real hash
        if broken:
            raise SystemExit(f"the bench broke the ledger: {sorted(broken)}")
    finally:
        local.stop(FOLDER)
        shutil.rmtree(FOLDER, ignore_errors=True)
    return 0 if tell(found, statements, sys.argv[1:]) else 1


if __name__ == "__main__":
    sys.exit(main())
