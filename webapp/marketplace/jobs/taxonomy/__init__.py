"""The taxonomy of fields of work and skills: its files, how text is matched to it, and how it reaches the database.

Other modules use what is named here; `data/` is described in `data/README.md`.
"""

from .folding import clean, fold
from .foreign import Fault, Foreign, ForeignError, kinds, read_foreign
from .importing import ImportReport, taxonomy_import
from .loading import LoadReport, load
from .matching import Match, normalise
from .source import Taxonomy, TaxonomyError, source

__all__ = [
    "Fault",
    "Foreign",
    "ForeignError",
    "ImportReport",
    "LoadReport",
    "Match",
    "Taxonomy",
    "TaxonomyError",
    "clean",
    "fold",
    "kinds",
    "load",
    "normalise",
    "read_foreign",
    "source",
    "taxonomy_import",
]
