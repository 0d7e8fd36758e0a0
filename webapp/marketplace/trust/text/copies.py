"""Whether two texts are the same text: a digest of the folded words, and a sketch of their overlapping runs for near copies.

The sketch keeps the SKETCH smallest hashes of runs of RUN words (bottom-k, Broder 1997); the share of the smallest hashes of both that both
hold estimates the Jaccard similarity of the runs.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence

from .scan import DIGITS, WORD, Tokens

RUN = 4
SKETCH = 48
#: shorter texts ("Interested, thank you.") are alike without being copies
FEWEST_WORDS = 12
SIMILAR = 0.8


def digest(tokens: Tokens) -> tuple[str, int]:
    """(sha256 of the folded words in order, how many there are)."""
    words = _words(tokens)
    return hashlib.sha256(" ".join(words).encode()).hexdigest(), len(words)


def sketch(tokens: Tokens) -> list[int]:
    """The smallest hashes of the text's runs, ascending; at most SKETCH."""
    words = _words(tokens)
    runs = {" ".join(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}
    hashes = (int.from_bytes(hashlib.blake2b(run.encode(), digest_size=6).digest(), "big") for run in runs)
    return heapq.nsmallest(SKETCH, hashes)


def similarity(a: Sequence[int], b: Sequence[int]) -> float:
    """The estimated share of runs that two texts have in common, 0 to 1."""
    if not a or not b:
        return 0.0
    smallest = heapq.nsmallest(SKETCH, {*a, *b})
    both = set(a) & set(b)
    return sum(h in both for h in smallest) / len(smallest)


def _words(tokens: Tokens) -> list[str]:
    return [w[:64] for kind, w in zip(tokens.kinds, tokens.words, strict=True) if kind in (WORD, DIGITS)]
