"""make bench NAME=chaos: money under faults. Tellers fund, hold, release, refund, give bonuses and ask for payouts, on a MariaDB of the bench's own.
They are killed in the middle of their acts, their connections are cut, the server is killed under them, and the sandbox gateway refuses, loses its
answers or gives them late.

After each round everything that was begun is done once more under its keys, the poller and the outbox go on, and all twelve invariants must hold, the
gateway must hold what we say it holds, and each act must be there exactly once. The same load with row locks switched off must break that: it shows
that the checks see what they look for.

    python tests/load/chaos_bench.py [--faults 540] [--seed 1] [--durable]

Without --durable the log is given to the system at every commit and to the disk every second: enough for a server that is killed, not for a machine
that loses its power.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
FOLDER = REPO / "var" / "bench" / "chaos"
RESULT = REPO / "var" / "bench" / "chaos.json"
#: the control goes on until it has violated something, and gives up in the end
LANES, CONTROL_ROUNDS, MOST_CONTROL_ROUNDS = 4, 4, 12
#: in a round, before the server is killed
KILLS, CUTS = 12, 7
LEAST_FAULTS, LEAST_SHARE = 500, 0.8


def setup_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.services"
    import django

    django.setup()
    from config.celery import app

    app.finalize()  # once here, instead of in each fork


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def lay_tables(bank: Any) -> None:
    """Migrated tables; kept beside the results until a migration changes, because to migrate takes longer than many rounds."""
    digest = hashlib.sha256()
    for file in sorted((REPO / "webapp" / "marketplace").glob("*/migrations/*.py")):
        digest.update(file.read_bytes())
    kept = FOLDER.parent / f"chaos-tables-{digest.hexdigest()[:16]}.sql"
    bank.create()
    if kept.exists():
        bank.load(kept.read_bytes())
        return
    bank.run(migrate, 600)
    for old in FOLDER.parent.glob("chaos-tables-*.sql"):
        old.unlink()
    kept.write_bytes(bank.dump())


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The bench: its figures by name."""
    from tests.load.chaos import deals, tellers
    from tests.load.chaos.storm import Storm
    from tests.webapp.races.bank import Bank

    begin = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)

    def prepare() -> None:
        tellers.configure()
        deals.prepare()

    def storm(bank: Bank, name: str, locks: bool) -> Storm:
        return Storm(
            bank,
            FOLDER / name,
            seed=options.seed,
            lanes=LANES,
            locks=locks,
            durable=options.durable,
            tell=lambda what: tell(f"{name}, {what}"),
        )

    bank = Bank(FOLDER / "db")
    try:
        bank.start(durable=options.durable)
        tell("the server is there")
        lay_tables(bank)
        bank.run(prepare, 600)
        tell("tables and people are there")
        main = storm(bank, "locks on", True)
        n = 0
        while sum(main.tally.faults.values()) < options.faults:
            n += 1
            main.round(n, kills=KILLS, cuts=CUTS)
        control = storm(bank, "locks off", False)
        rounds = 0
        while rounds < CONTROL_ROUNDS or (not control.tally.wrong and rounds < MOST_CONTROL_ROUNDS):
            n, rounds = n + 1, rounds + 1
            control.round(n, kills=1, cuts=1, server=False, seconds=2.0)
    finally:
        bank.stop()

    t = main.tally
    for what, found in (("violation", t.broken), ("lost", t.lost), ("doubled", t.doubled)):
        for line in found[:20]:
            print(f"{what}: {line}")
    return {
        "faults": sum(t.faults.values()),
        "interrupting_share": round(t.share, 4),
        "violations": t.violations,
        "lost": len(t.lost),
        "doubled": len(t.doubled),
        "control_violations": control.tally.wrong,
        "seed": options.seed,
        "seconds": round(time.monotonic() - begin, 1),
        "acts": t.acts,
        "refused": t.refused,
        "faults_by_kind": dict(sorted(t.faults.items())),
        "interrupting_by_kind": dict(sorted(t.interrupting.items())),
        "control": {
            "acts": control.tally.acts,
            "violations": control.tally.broken[:50],
            "lost": control.tally.lost[:50],
            "doubled": control.tally.doubled[:50],
        },
    }


def good(found: dict[str, Any]) -> bool:
    """Whether the bench came to what it must."""
    enough = found["faults"] >= LEAST_FAULTS and found["interrupting_share"] >= LEAST_SHARE
    return enough and not (found["violations"] or found["lost"] or found["doubled"]) and found["control_violations"] > 0


def tell_all(found: dict[str, Any], arguments: list[str]) -> None:
    """Write the result file and print the table."""
    from rich.console import Console
    from rich.table import Table

    wanted = {
        "faults": f">= {LEAST_FAULTS}",
        "interrupting_share": f">= {LEAST_SHARE}",
        **dict.fromkeys(("violations", "lost", "doubled"), "0"),
        "control_violations": "> 0",
    }
    table = Table("figure", "value", "wanted", title=f"chaos: {found['acts']} acts under {found['faults']} faults, seed {found['seed']}")
    for name, target in wanted.items():
        table.add_row(name, str(found[name]), target)
    for kind, count in found["faults_by_kind"].items():
        table.add_row(f"  {kind}", str(count), f"{found['interrupting_by_kind'][kind]} interrupting")
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version(), "load": os.getloadavg()}
    command = " ".join(["python", "tests/load/chaos_bench.py", *arguments])
    results = [{"metric": name, "value": found[name], "unit": "share" if name == "interrupting_share" else "count"} for name in wanted]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"name": "chaos", "command": command, **found, "machine": machine, "results": results}, indent=1) + "\n")
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=540, help="rounds go on until so many were injected")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durable", action="store_true", help="flush the log to the disk at every commit")
    options, parent = parser.parse_args(), os.getpid()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143) if os.getpid() == parent else os._exit(143)
    )  # the server is stopped on the way out
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ["OPENLANCE_CHAOS_COMPLAINTS"] = str(FOLDER / "complaints.txt")
    setup_django()
    found = run(options)
    tell_all(found, sys.argv[1:])
    ok = good(found)
    if ok:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
