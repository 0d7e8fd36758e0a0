"""Searching open posts: a tantivy read model fed by the outbox. The database decides again what is shown.

Published ranking `search-1`: score = BM25 over title (×4), skills (×3) and description (×1), plus ×6 for a skill the words name,
times 1 + 0.3·exp(−age/14 d). The best 500 of a query can be paged through.
"""

from .index import rebuild, sync
from .query import Filters, Found, Hit, find

__all__ = ["Filters", "Found", "Hit", "find", "rebuild", "sync"]
