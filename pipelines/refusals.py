"""What ends a command with a sentence: the fault lies outside the program, and the message says what is wrong and what to do.

Belongs here: what such a fault is, and how a command (`python -m pipelines.…`) tells of it. Whoever raises one defines it as a Refused, where it is
raised. No other part of the platform is imported here but the settings, and these late, so that each part may import this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

_LONGEST = 600
#: What somebody wrote, as databases quote it, and addresses.
_QUOTED = re.compile(r"""(?<!\w)(['"]).*?\1(?!\w)""")
_ADDRESS = re.compile(r"[^\s<>'\",;:]+@[^\s<>'\",;:]+")


class Refused(RuntimeError):
    """Something outside is not as it must be. The message is a sentence for people, and holds no secret."""


class Asked(Exception):
    """Somebody asked for the end of what is at work: no fault."""


#: Each ends a command with its message and exit code 2.
REFUSALS = (Refused, FileNotFoundError)
_HELD = "the work file is held by another process, such as a dbt whose round was killed; try again when it has ended"


def discreet(text: str) -> str:
    """`text` in one line without what a database quotes of its rows: what is kept of a failure outlives them, and alerts go to other houses."""
    line = " ".join(" ".join(part for part in text.split("\n") if part.strip()).split())
    return _ADDRESS.sub("…", _QUOTED.sub("…", line))[:_LONGEST]


def complain(told: str) -> None:
    """To whoever called the command."""
    sys.stderr.write(told + "\n")


def command(act: Callable[[], int], *, prefix: str = "", tell: Callable[[str], None] = complain) -> int:
    """What a command does; returns its exit code, which is 2, after one sentence, when it was refused.

    The settings are read before anything is done: a typo in them ends every command, also one that would have met it late or never.
    """
    import duckdb

    from .settings import load

    try:
        load()
        return act()
    except REFUSALS as refused:
        told = str(refused)
    except duckdb.IOException as held:
        if "lock" not in str(held):
            raise
        told = f"{_HELD}\n{held}"
    tell(f"{prefix}: {told}" if prefix else told)
    return 2
