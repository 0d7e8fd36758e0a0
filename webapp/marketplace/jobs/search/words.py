"""From text to search words. "C#", "C++", ".NET", "R", "Go" and "Node.js" are words; nothing is syntax.

The same function cuts posts and queries, so whatever somebody can write into a post can be found again.
"""

from __future__ import annotations

import re
import unicodedata

#: runs of letters and digits, with the marks that belong to names of techniques: .net, c++, c#, node.js, front-end, 3d's
_WORD = re.compile(r"\.?[^\W_]+(?:[.\-'’+#&/][^\W_]+)*(?:\+\+|\+|#)?")
_PART = re.compile(r"[^\W_]+")
_LONGEST = 40
#: words that carry no meaning beside others; alone they are searched like any other
COMMON = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "i", "in", "is", "of", "on", "or", "the", "to", "we", "with", "you"}
)


def fold(text: str) -> str:
    """Lower case without accents, compatibility forms unified."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if not unicodedata.combining(c))


def singular(word: str) -> str:
    """The S-stemmer (Harman, 1991): plural endings off words of four letters and more; "css", "aws" and "status" stay."""
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    if word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word


def words(text: str) -> list[str]:
    """The words of a text in their order, folded and in the singular."""
    return [singular(w)[:_LONGEST] for w in _WORD.findall(fold(text))]


def parts(word: str) -> list[str]:
    """The pieces of a compound ("front-end" → front, end); empty for a simple word. ".net" and "c#" have none: "c" is another thing."""
    found = _PART.findall(word)
    return [singular(p) for p in found] if len(found) > 1 else []


def indexed(text: str) -> str:
    """The text as it is put into the index: its words and the parts of its compounds, between spaces."""
    found = []
    for word in words(text):
        found.append(word)
        found.extend(parts(word))
    return " ".join(found)


def query_words(text: str) -> list[str]:
    """The words to search for, each once; common ones only when there are no others."""
    found = list(dict.fromkeys(words(text)))
    return [w for w in found if w not in COMMON] or found
