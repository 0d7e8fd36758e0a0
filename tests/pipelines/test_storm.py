"""Writers, schema changes and SIGKILLs at random, for a short time; `python -m tests.pipelines.storm` is the long form."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from .conftest import Source, connect
from .storm import Storm

#: Each of the two storms goes on for so long, its first round included, and until a round was killed.
SECONDS = 8


def test_no_kill_and_no_writer_makes_a_publication_of_a_half_state(source: Source, tmp_path_factory: pytest.TempPathFactory) -> None:
    for (table,) in source.sql("SHOW TABLES"):
        source.sql(f"DROP TABLE `{table}`")
    seed = int(os.environ.get("OPENLANCE_STORM_SEED") or random.SystemRandom().randrange(10**6))
    folder: Path = tmp_path_factory.mktemp("storm")
    storm = Storm(folder=folder, seed=seed, connect=lambda: connect(source.database), env=dict(os.environ))
    storm.lay()
    for kills, storm.quiet in enumerate((False, True), start=1):
        storm.rage(SECONDS, kills=kills)
        storm.settle()
        assert not storm.failures, f"{storm.story()}\n" + "\n".join(storm.failures)
    sys.stdout.write(storm.story())

    assert storm.seen and storm.done["transfer"] and storm.done["insert_pair"] and storm.done["bulk"], storm.story()
