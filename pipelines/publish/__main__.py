"""`python -m pipelines.publish [rollback]`; exit code 1 when there is nothing that may be published, 2 when it could not be done."""

from __future__ import annotations

import sys

from .. import refusals
from ..marts_reader import NothingPublished
from ..rounds import published
from . import AuditError, rollback
from .lineage import AUDIENCES


def _act() -> int:
    try:
        if sys.argv[1:] == ["rollback"]:
            for audience in AUDIENCES:
                sys.stdout.write(f"{audience}: {rollback(audience)} is current again\n")
        else:
            done = published()
            sys.stdout.write(f"published {done.publish_id}: {len(done.rows)} models, {done.written} parts written, {done.reused} reused\n")
    except (AuditError, NothingPublished) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(refusals.command(_act, prefix="not published"))
