"""Cutting a text into tokens, once, with the offsets of the original kept.

Letters and digits of any script are folded (full-width, mathematical and Arabic-Indic forms become plain ones), characters of no width are
skipped. A token is a run of letters, a run of digits, a run of blanks, or one other character.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

WORD, DIGITS, BLANK, MARK = "w", "d", "s", "p"
#: soft hyphen, zero-width characters, direction marks, variation selectors, byte order mark: people hide digits between them
_NO_WIDTH = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff\u20e3"
)


@lru_cache(maxsize=8192)
def _fold(char: str) -> tuple[str, str]:
    """(folded character, kind); the character is empty when it has no width."""
    if char in _NO_WIDTH:
        return "", ""
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit), DIGITS
    plain = unicodedata.normalize("NFKC", char)
    if len(plain) == 1:
        digit = unicodedata.decimal(plain, None)
        if digit is not None:
            return str(digit), DIGITS
        char = plain
    if char.isspace():
        return ("\n" if char in "\n\r\v\f\x85\u2028\u2029" else " "), BLANK
    if char.isalpha() or unicodedata.category(char).startswith("M"):
        lower = char.casefold()
        return (lower if len(lower) == 1 else char), WORD
    if unicodedata.category(char) == "Pd":
        return "-", MARK
    return char, MARK


@dataclass(slots=True)
class Tokens:
    """Parallel lists: each token's kind, folded text, and where it begins and ends in the original. `looks` counts what rules looked at."""

    text: str
    kinds: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    looks: int = 0

    def __len__(self) -> int:
        return len(self.kinds)

    def kind(self, i: int) -> str:
        """The kind of token i; empty outside the text."""
        self.looks += 1
        return self.kinds[i] if 0 <= i < len(self.kinds) else ""

    def word(self, i: int) -> str:
        """The folded text of token i; empty outside the text."""
        self.looks += 1
        return self.words[i] if 0 <= i < len(self.words) else ""

    def skip_blank(self, i: int, step: int = 1) -> int:
        """i, or its neighbour in the direction of `step` when i is a run of blanks; runs do not follow each other."""
        return i + step if self.kind(i) == BLANK else i


def scan(text: str) -> Tokens:
    """One pass; each character is folded once."""
    tokens = Tokens(text)
    run: list[str] = []
    kind, begin, end = "", 0, 0

    def close() -> None:
        if run:
            tokens.kinds.append(kind)
            tokens.words.append("".join(run))
            tokens.starts.append(begin)
            tokens.ends.append(end)

    for at, char in enumerate(text):
        folded, of = _fold(char)
        if not folded:
            continue
        if of != kind or of == MARK:
            close()
            run, kind, begin = [], of, at
        run.append(folded)
        end = at + 1
    close()
    return tokens
