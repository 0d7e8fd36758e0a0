"""The edge of every service: one transaction, retried whole when the database asks for it.

MySQL and MariaDB end transactions with 1213 (deadlock), 1205 (lock wait; rolls back only the statement, so the whole
transaction must be ended by us) and 1020 (snapshot conflict); SQLite answers "database is locked".
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

from .errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

RETRIED_MYSQL_CODES = frozenset({1213, 1205, 1020})
ATTEMPTS = 6


def is_retryable(error: OperationalError) -> bool:
    """True for the errors after which the same transaction may succeed when run again from its start."""
    if connection.vendor == "sqlite":
        return "locked" in str(error)
    return bool(error.args) and error.args[0] in RETRIED_MYSQL_CODES


def run_in_transaction(work: Callable[[], R], *, attempts: int = ATTEMPTS) -> R:
    """Run `work` in one durable transaction; retry it whole on lock conflicts, with jittered back-off, bounded.

    Inside an open transaction it simply runs: the outermost edge owns the retry.
    Raises Unavailable when the conflicts do not end.
    """
    if connection.in_atomic_block:
        return work()
    for attempt in range(1, attempts + 1):
        try:
            with transaction.atomic(durable=True):
                return work()
        except OperationalError as e:
            if not is_retryable(e):
                raise
            if attempt == attempts:
                raise Unavailable("busy", "Too many people are changing this at once. Please try again.") from e
            time.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)
    raise AssertionError("unreachable")


def unit_of_work(service: Callable[P, R]) -> Callable[P, R]:
    """Decorator of services that change state: see run_in_transaction."""

    @functools.wraps(service)
    def edge(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_in_transaction(lambda: service(*args, **kwargs))

    return edge
