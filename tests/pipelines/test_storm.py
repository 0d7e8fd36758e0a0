"""Writers, schema changes and SIGKILLs at random, for a short time; `python -m tests.pipelines.storm` is the long form."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from .conftest import Source, connect
from .storm import Storm

#: Between the first round and the last one.
SECONDS = 15


def test_no_kill_and_no_writer_makes_a_publication_of_a_half_state(source: Source, tmp_path_factory: pytest.TempPathFactory) -> None:
    for (table,) in source.sql("SHOW TABLES"):
        source.sql(f"DROP TABLE `{table}`")
    seed = int(os.environ.get("OPENLANCE_STORM_SEED") or random.SystemRandom().randrange(10**6))
    folder: Path = tmp_path_factory.mktemp("storm")
    storm = Storm(folder, seed, lambda: connect(source.database), dict(os.environ))
    storm.lay()
    storm.rage(SECONDS)
    storm.settle()
    sys.stdout.write(storm.story())

    assert not storm.failures, f"{storm.story()}\n" + "\n".join(storm.failures)
    assert storm.seen and storm.done["transfer"] and storm.done["insert_pair"], storm.story()
