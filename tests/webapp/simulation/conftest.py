"""One small market for all tests of a module, made once in a transaction that is rolled back at its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

UNTIL = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Simulated:
    """The result of the run and the folder of its truth."""

    result: Any
    truth: Path


@pytest.fixture(scope="session")
def simulated(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A small market (seed 1, history until UNTIL)."""
    with django_db_blocker.unblock():
        from django.test import override_settings

        from marketplace.jobs import taxonomy
        from marketplace.simulation.market import simulate
        from marketplace.simulation.tables import bulk_loading

        var = tmp_path_factory.mktemp("var")
        loading, outermost = bulk_loading(), transaction.atomic()
        outermost._from_testcase = True  # as Django's own test case: "durable" units of work may run inside
        loading.__enter__()
        outermost.__enter__()
        try:
            taxonomy.load()
            with override_settings(VAR=var):
                result = simulate(scale=os.environ.get("OPENLANCE_TEST_SCALE", "small"), seed=1, until=UNTIL)
            seconds = ", ".join(f"{stage} {took:.1f} s" for stage, took in result.seconds.items())
            sys.stderr.write(f"\nsample market made: {seconds}\n")
            yield Simulated(result, var / "simulation")
        finally:
            transaction.set_rollback(True)
            outermost.__exit__(None, None, None)
            loading.__exit__(None, None, None)
