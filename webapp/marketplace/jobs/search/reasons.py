"""Why a hit is there: which of the words stand where, as the index sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import tantivy

from .engine import Found
from .shelf import Shelf
from .spoken import both, either


class Reasons:
    """Answers for the objects of one page; each word costs one small query a text field, however long the texts are."""

    def __init__(self, shelf: Shelf, found: Found, ids: Sequence[int]) -> None:
        self._shelf, self._found, self._ids = shelf, found, ids
        self._page = either([tantivy.Query.term_query(shelf.schema, "id", pk) for pk in ids]) if ids else None
        self._met: dict[str, dict[int, list[str]]] = {}
        self.skills = {s for term in found.reading.terms for s in term.skills}

    def words(self, pk: int, fields: Mapping[str, str]) -> list[dict[str, str]]:
        """For each text field (with its name for people) that has some of the words: which."""
        told = []
        for name, said in fields.items():
            if met := self._where(name).get(pk):
                told.append({"kind": "words", "text": f"In the {said}: {', '.join(met)}"})
        return told

    def _where(self, name: str) -> dict[int, list[str]]:
        if name not in self._met:
            there: dict[int, list[str]] = defaultdict(list)
            searcher, reading = self._found.view.searcher, self._found.reading
            for term in reading.terms if self._page is not None else ():
                query = both([reading.holds(term, name), self._page])
                hits = searcher.search(query, limit=len(self._ids), count=False).hits
                said = f"like {term.word}" if term.word in reading.misspelt else term.word
                for pk in searcher.fast_field_values("id", [address for _, address in hits]):
                    there[int(pk or 0)].append(said)
            self._met[name] = there
        return self._met[name]


def told_age(what: str, at: datetime | None, as_of: int) -> str:
    days = int((as_of - at.timestamp()) // 86400) if at else 0
    return f"{what} today" if days < 1 else f"{what} {days} day{'s' if days > 1 else ''} ago"
