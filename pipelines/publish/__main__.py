"""Publish the marts that dbt built, or (rollback) make the publication before the current one current again.

Exit codes: 0 done; 1 there is nothing that may be published, or to go back to; 2 it could not be done.
"""

from __future__ import annotations

import argparse
import sys

from .. import refusals
from ..marts_reader import NothingPublished
from ..rounds import published
from . import AuditError, rollback
from .lineage import AUDIENCES

PUBLISH, ROLLBACK = "publish", "rollback"


def _act(what: str) -> int:
    try:
        if what == ROLLBACK:
            for audience in AUDIENCES:
                sys.stdout.write(f"{audience}: {rollback(audience)} is current again\n")
        else:
            done = published()
            sys.stdout.write(f"published {done.publish_id}: {len(done.rows)} models, {done.written} parts written, {done.reused} reused\n")
    except (AuditError, NothingPublished) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.publish", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=[PUBLISH, ROLLBACK], default=PUBLISH)
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options.what), prefix="not published")


if __name__ == "__main__":
    sys.exit(main())
