"""Why a hit is there: which of the query's words stand in which of its texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from .spoken import Reading
from .words import fold, parts, words

#: letters in which two words may differ are not looked for in more words of a text than this
READ_CLOSELY = 200


class Reasons:
    """Answers for one query, from the texts themselves."""

    def __init__(self, reading: Reading) -> None:
        self.skills = {s for term in reading.terms for s in term.skills}
        self._exact = [t.word for t in reading.terms if t.word not in reading.misspelt]
        self._misspelt = reading.misspelt

    def words(self, texts: Mapping[str, str]) -> list[dict[str, str]]:
        """For each text, by its name for people, that has some of the words: which."""
        told = []
        for said, text in texts.items():
            folded = fold(text)
            met = [w for w in self._exact if _stands(w, folded)]
            if self._misspelt:
                there = words(text)[:READ_CLOSELY]
                met += [f"{near} (for {w})" for w, d in self._misspelt.items() if (near := _nearest(w, there, d))]
            if met:
                told.append({"kind": "words", "text": f"In the {said}: {', '.join(met)}"})
        return told


def _stands(word: str, folded: str) -> bool:
    """Whether the word, in singular or plural, or all pieces of a compound, are words of the folded text."""
    if _stem(word) in folded and _pattern(word).search(folded):
        return True
    pieces = parts(word)
    return bool(pieces) and all(_stands(p, folded) for p in pieces)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("y") else word


@lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str]:
    if len(word) > 3 and word.isalpha():
        ending = "(?:y|ies)" if word.endswith("y") else "(?:s|es)?"
        return re.compile(rf"(?<![^\W_]){re.escape(_stem(word))}{ending}(?![^\W_]|[+#])")
    return re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_]|[+#])")


def _nearest(word: str, there: list[str], distance: int) -> str | None:
    """The first of the words that differs in at most so many letters (one put in, left out, changed, or two exchanged)."""
    return next((w for w in there if abs(len(w) - len(word)) <= distance and _apart(word, w) <= distance), None)


def _apart(a: str, b: str) -> int:
    """Letters to put in, leave out, change, or exchange with the neighbour, to make one word of the other."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def told_age(what: str, at: datetime | None, as_of: int) -> str:
    days = int((as_of - at.timestamp()) // 86400) if at else 0
    return f"{what} today" if days < 1 else f"{what} {days} day{'s' if days > 1 else ''} ago"
