"""What a query says: its words, the skills that they name by any of the taxonomy's spellings, and words nobody ever wrote.

Pure but for the index that is asked which words it knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import tantivy

from ..taxonomy import normalise
from ..taxonomy.source import source
from . import facts
from .words import parts, query_words, words

Query = tantivy.Query
LONGEST_SKILL = 4
MOST_WORDS = 40
#: a word that no text holds is read with one letter wrong from 4 letters on, with two from 8 on
FORGIVEN = ((8, 2), (4, 1))


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the query; `skills` are slugs that it names, alone or with its neighbours; `names` the words of their usual names."""

    word: str
    skills: tuple[str, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts beside BM25 of the words in the text. `skill`: a skill the words name, flat. `name`: the skill's usual name where another
    was asked for, of its BM25. `typo`: what a misspelt word counts, flat. `all_words`: having every word, flat."""

    skill: float
    name: float
    typo: float = 2.0
    all_words: float = 2.0


@lru_cache(maxsize=8192)
def terms_of(text: str) -> tuple[Term, ...]:
    """The words to search for, each once, with what they name."""
    said = text.split()[:MOST_WORDS]
    named: dict[str, set[str]] = defaultdict(set)
    for size in range(1, LONGEST_SKILL + 1):
        for start in range(len(said) - size + 1):
            phrase = " ".join(said[start : start + size])
            match = normalise(phrase)
            if match.kind == "skill" and match.skill_slug:
                for word in words(phrase):
                    named[word].add(match.skill_slug)
    known = source().skills
    found = []
    for word in query_words(text)[:MOST_WORDS]:
        skills = tuple(sorted(named.get(word, ())))
        names = (tuple(words(known[s].name)) for s in skills if s in known)
        # a name of one short word ("Go", "R", "C") means other things in running text
        others = tuple(n for n in names if word not in n and (len(n) > 1 or len(n[0]) > 3))
        found.append(Term(word, skills, others))
    return tuple(found)


class Reading:
    """A query's terms, read against one state of an index with the text field `text` and the fact field `skill`."""

    def __init__(self, text: str, schema: tantivy.Schema, searcher: tantivy.Searcher, weights: Weights) -> None:
        self.terms = terms_of(text)
        self.schema, self.weights = schema, weights
        self.misspelt: Mapping[str, int] = {t.word: d for t in self.terms if (d := self._forgiven(t, searcher))}
        self._each = [self._one(t) for t in self.terms]

    def _forgiven(self, term: Term, searcher: tantivy.Searcher) -> int:
        if term.skills or not term.word.isalpha() or searcher.doc_freq("text", term.word):
            return 0
        return next((distance for length, distance in FORGIVEN if len(term.word) >= length), 0)

    def all_words(self) -> Query | None:
        """What has every word, in its text or by the skill it names; None when nothing was asked."""
        return both(self._each) if self.terms else None

    def some_words(self) -> Query:
        """What has any of the words; what has all counts more."""
        every = self._flat(both(self._each), self.weights.all_words)
        return Query.boolean_query([(tantivy.Occur.Must, either(self._each)), (tantivy.Occur.Should, every)])

    def _one(self, term: Term) -> Query:
        found = self._written(term.word)
        found += [
            self._flat(Query.term_query(self.schema, "skill", s, "basic"), self.weights.skill) for s in facts.skills_meant(term.skills)
        ]
        for name in term.names:
            found.append(Query.boost_query(both([either(self._written(w)) for w in name]), self.weights.name))
        if distance := self.misspelt.get(term.word):
            found.append(self._flat(Query.fuzzy_term_query(self.schema, "text", term.word, distance), self.weights.typo))
        return either(found)

    def _written(self, word: str) -> list[Query]:
        found = [Query.term_query(self.schema, "text", word, "freq")]
        if pieces := parts(word):
            found.append(both([either(self._written(p)) for p in pieces]))
        return found

    def _flat(self, query: Query, weight: float) -> Query:
        return Query.boost_query(Query.const_score_query(query, 1.0), weight)


def both(queries: Sequence[Query]) -> Query:
    """What meets every one."""
    return queries[0] if len(queries) == 1 else Query.boolean_query([(tantivy.Occur.Must, q) for q in queries])


def either(queries: Sequence[Query]) -> Query:
    """What meets at least one."""
    return queries[0] if len(queries) == 1 else Query.boolean_query([(tantivy.Occur.Should, q) for q in queries])
