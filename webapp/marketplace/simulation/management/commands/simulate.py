"""`manage.py simulate`: fill an empty marketplace with a sample market and its history."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.simulation.calibration import SCALES
from marketplace.simulation.market import Result, simulate
from marketplace.simulation.truth import folder


class Command(BaseCommand):
    help = "Make a sample market with history in an empty marketplace; the same seed makes the same market."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", choices=sorted(SCALES), default="small")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--until", help="last day (YYYY-MM-DD); the history ends when it begins. Default: today, business time.")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.perf_counter()
        try:
            until = datetime.combine(date.fromisoformat(options["until"]), clock_time(), UTC) if options["until"] else None
        except ValueError as e:
            raise CommandError(f"--until takes a day such as 2026-11-01: {e}") from e
        try:
            result = simulate(scale=options["scale"], seed=options["seed"], until=until, say=self._say)
        except DomainError as e:
            raise CommandError(e.message) from e
        self._summary(result, time.perf_counter() - began)

    def _say(self, stage: str, seconds: float) -> None:
        self.stdout.write(f"{stage:<48} {seconds:7.2f} s")
        self.stdout.flush()

    def _summary(self, result: Result, seconds: float) -> None:
        self.stdout.write(f"\n{'table':<34} {'rows':>10}")
        for table, rows in result.rows.items():
            self.stdout.write(f"{table:<34} {rows:>10,}")
        self.stdout.write(f"{'total':<34} {sum(result.rows.values()):>10,}")
        self.stdout.write("\nReleased (gross): " + ", ".join(str(Money(minor, code)) for code, minor in result.gsv_minor.items()))
        self.stdout.write("Fraud planted: " + ", ".join(f"{kind} {n}" for kind, n in result.fraud.items()))
        self.stdout.write(f"History until {result.until:%Y-%m-%d %H:%M} UTC; truth in {folder()}; {seconds:.1f} s")
