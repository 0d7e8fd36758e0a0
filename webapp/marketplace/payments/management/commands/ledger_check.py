"""manage.py ledger_check: every money invariant over the whole database; exit 1 when one fails."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.payments import services
from marketplace.payments.ledger.check import Outcome


class Command(BaseCommand):
    help = "Check money invariants 1-12 over the whole ledger; exits 1 when one fails, or on an empty ledger without --allow-empty."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--allow-empty", action="store_true", help="an empty ledger is in order")

    def handle(self, *args: Any, **options: Any) -> None:
        def tell(outcome: Outcome) -> None:
            verdict = "ok" if not outcome.violations else f"{len(outcome.violations)} VIOLATIONS"
            self.stdout.write(f"{outcome.number}. {outcome.statement:<72} {verdict:>14} {outcome.seconds:7.2f} s")
            for v in outcome.violations[:20]:
                self.stdout.write(f"     {v.rule}: {v.row} ({v.detail})")

        report = services.ledger_check(allow_empty=options["allow_empty"], progress=tell)
        self.stdout.write(f"{report.entries:,} entries, {report.postings:,} postings, {len(report.violations)} violations")
        if report.empty and not report.allow_empty:
            self.stdout.write("The ledger is empty: nothing was proven. Use --allow-empty when that is expected.")
        if not report.ok:
            sys.exit(1)
