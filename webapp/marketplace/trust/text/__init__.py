"""What a text says that a person should be warned of: contact details, paying past the platform, paying to apply, copies.

Pure functions; nothing here decides anything about a person. `check` runs in time linear in the text: it is cut into tokens once, and every
rule looks at most a fixed number of tokens around each (`scan.Tokens.looks` counts them). VERSION changes with every rule.
"""

from __future__ import annotations

from .contact import contacts
from .finding import NOTE, WARN, Finding
from .phrases import phrases
from .scan import Tokens, scan

__all__ = ["MAX_FINDINGS", "NOTE", "VERSION", "WARN", "Finding", "check"]
VERSION = "text-1"
#: a text that repeats itself is told of once in a while, not ten thousand times
MAX_FINDINGS = 50


def check(text: str) -> list[Finding]:
    """What was found, in the order of the text, without overlaps (the stronger finding stays). Offsets are code points of `text`.

    Level WARN asks for a person's attention; NOTE is said to the writer only and never counts against anybody.
    """
    return check_tokens(scan(text))


def check_tokens(tokens: Tokens) -> list[Finding]:
    """`check` for a text that is cut already."""
    found = sorted([*contacts(tokens), *phrases(tokens)], key=lambda f: (f.level != WARN, f.start, -f.end))
    kept: list[Finding] = []
    taken = bytearray(len(tokens.text) + 1)
    for f in found:
        if not any(taken[f.start : f.end]):
            taken[f.start : f.end] = b"\x01" * (f.end - f.start)
            kept.append(f)
    return sorted(kept, key=lambda f: f.start)[:MAX_FINDINGS]
