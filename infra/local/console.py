"""What the commands print: each step says what it does and how long it took. Standard library only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

COLOR = sys.stdout.isatty()


def paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if COLOR else text


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Print `what`, run the block, print its time; call the yielded function to add a remark. Failures are told and pass on."""
    remarks: list[str] = []
    print(f"{paint('•', '36')} {what} …", flush=True)
    begin = time.monotonic()
    try:
        yield remarks.append
    except BaseException:
        print(f"{paint('✗', '31')} {what}: failed after {time.monotonic() - begin:.1f} s", flush=True)
        raise
    note = f" ({'; '.join(remarks)})" if remarks else ""
    print(f"{paint('✓', '32')} {what}: {time.monotonic() - begin:.1f} s{note}", flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain text table, columns as wide as their widest cell."""
    cells = [[str(c) for c in head], *[[str(c) for c in row] for row in rows]]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, width, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("─" * w for w in width), *lines[1:]])
