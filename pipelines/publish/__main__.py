"""`python -m pipelines.publish [rollback]`; exit code 1 when there is nothing that may be published."""

from __future__ import annotations

import sys

from ..files import Busy
from ..marts_reader import NothingPublished
from ..rounds import published
from . import AuditError, rollback
from .lineage import AUDIENCES

try:
    if sys.argv[1:] == ["rollback"]:
        for audience in AUDIENCES:
            sys.stdout.write(f"{audience}: {rollback(audience)} is current again\n")
    else:
        done = published()
        sys.stdout.write(f"published {done.publish_id}: {len(done.rows)} models, {done.written} parts written, {done.reused} reused\n")
except (AuditError, Busy, FileNotFoundError, NothingPublished) as refused:
    sys.stderr.write(f"{refused}\n")
    sys.exit(1)
