"""One run of the extraction, as a round does it: what looks wrong is set aside, and whom the product has erased leaves the log.

    python -m pipelines.extract.run [--full-refresh] [--no-reconcile]
    python -m pipelines.extract.run --table jobs_job [--keys 1:50000]    reads one table, or its keys from 1 up to and without 50000, again
    python -m pipelines.extract.run --reconcile                         compares every key block with the source, and mends (hourly)
    python -m pipelines.extract.run --prove                             reads every row and compares it with the log, and mends (weekly)

What is asked of one table happens beside the ordinary reading of all others: a run is always one moment of the whole source. A table that is set
aside stays so, whatever is asked of it, until it is released or mended. Nothing is built or published: the next round does it.
Exit codes: 0 all tables read; 1 some table stopped (its message is printed, the others are committed); 2 nothing was read.
"""

from __future__ import annotations

import argparse
import logging
import sys

from . import refusals, rounds
from .extract.run import Span, TableResult


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.extract.run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--full-refresh", action="store_true", help="read all rows again, whatever their stamps say")
    parser.add_argument("--no-reconcile", action="store_true", help="leave out the comparison of every key block with the source")
    parser.add_argument("--reconcile", action="store_true", help="compare every key block (what a run does anyway unless told not to)")
    parser.add_argument("--table", help="read this table again, whatever the stamps of its rows say")
    parser.add_argument("--keys", type=_span, metavar="FIRST:PAST", help="only these keys of it")
    parser.add_argument("--prove", action="store_true", help="read every row of every table and compare it with the log")
    options = parser.parse_args(arguments)
    if options.keys and not options.table:
        parser.error("--keys needs --table")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return refusals.command(lambda: _run(options), prefix="not read")


def _run(options: argparse.Namespace) -> int:
    # A re-read of one table is a small act: the comparison of all others with the source waits for its hour, unless asked for.
    reconcile = options.reconcile or not (options.no_reconcile or options.table or options.prove)
    reread = {options.table: options.keys} if options.table else {}
    report = rounds.extracted(full_refresh=options.full_refresh, reconcile=reconcile, prove=options.prove, reread=reread)
    sys.stdout.writelines(_line(done) for done in report.tables)
    return 1 if report.stopped else 0


def _line(done: TableResult) -> str:
    told = f"{done.table:28} {done.rows:>9} rows {done.deletes:>6} deletes {done.repaired:>6} repaired {done.seconds:8.2f} s"
    if done.proof is not None:
        told += f"  proven: {done.proof[0]} rows, checksum {done.proof[1]}, in source and log"
    if done.repaired:
        told += f"  differed: {done.unlike}"
    return f"{told}{'  STOPPED ' + done.stopped if done.stopped else ''}\n"


def _span(told: str) -> Span:
    first, colon, past = told.partition(":")
    if not (colon and first.isdecimal() and past.isdecimal() and int(first) < int(past)):
        raise argparse.ArgumentTypeError(f"{told!r} names no keys: FIRST:PAST, such as 1:50000 for the keys from 1 up to and without 50000")
    return int(first), int(past)
