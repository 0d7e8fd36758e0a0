"""Check the operational database before it is extracted.

    python -m pipelines.source_checks

Exit codes: 0 every contract is kept (quiet tables are told); 1 a contract is broken; 2 it could not be checked.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console

from .. import refusals
from .checks import check


def main() -> int:
    """The command; returns its exit code."""
    console = Console(highlight=False, soft_wrap=True)
    return refusals.command(lambda: _check(console), prefix="not checked", tell=lambda told: console.print(told, style="red", markup=False))


def _check(console: Console) -> int:
    began = time.monotonic()
    report = check()
    for quiet in report.stale:
        console.print(f"! {quiet}", style="yellow", markup=False)
    for table, column, problem in report.problems:
        console.print(f"✗ {table}.{column}: {problem}", style="red", markup=False)
    kept = report.tables - len({table for table, _, _ in report.problems})
    console.print(
        f"{kept} of {report.tables} source contracts are kept, {len(report.stale)} tables are quiet ({time.monotonic() - began:.1f} s)"
    )
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
