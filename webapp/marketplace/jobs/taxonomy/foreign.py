"""The whole files of other taxonomies as their publishers hand them out, read into one form. Pure: no database.

O*NET: `Technology Skills.txt` of the text download. ESCO: `skills_<language>.csv` of the CSV download, and beside it, where they are
there, the broader relations, the relations between skills, the occupations and which skills they use. Every file may be packed with gzip.
"""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from .folding import clean, fold
from .source import DATA

NAME_LONGEST, SPELLING_LONGEST, KEY_LONGEST = 100, 120, 200
#: How the spellings of an ESCO cell are told apart.
_LINES = re.compile(r"\r?\n")
_WEIGHTS = {"essential": 0.6, "optional": 0.3}
#: Characters of one cell. The csv module keeps one limit for the whole process: it is lent for the reading and given back.
_CELL_LONGEST = 2**24


class ForeignError(Exception):
    """A file is missing or is none of the kind it should be: nothing was read. The message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that was left out: where it begins and why."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Concept:
    """A skill there. `codes` counts the occupations that use it; `relations` maps (kind, key of the other) to a weight."""

    key: str
    name: str
    spellings: tuple[str, ...] = ()
    codes: Counter[str] = field(default_factory=Counter)
    relations: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(slots=True)
class Foreign:
    """One taxonomy read to its end: its concepts by key, and the rows that were left out."""

    slug: str
    release: str
    concepts: dict[str, Concept]
    faults: list[Fault]
    rows: int = 0

    @property
    def about(self) -> dict[str, Any]:
        """Name, licence, attribution, fields of occupations."""
        return dict(_about()[self.slug])

    def field_of(self, concept: Concept) -> str:
        """The slug of our field of work that the concept belongs to."""
        fields: dict[str, str] = self.about["fields"]
        for one in (concept, *(self.concepts[key] for (kind, key) in concept.relations if kind == "broader" and key in self.concepts)):
            votes: Counter[str] = Counter()
            for code, count in one.codes.items():
                prefix = next((code[:n] for n in range(len(code), 0, -1) if code[:n] in fields), "")
                if prefix:
                    votes[fields[prefix]] += count
            if votes:
                return min(votes, key=lambda slug: (-votes[slug], slug))
        return str(self.about["otherwise"])


@lru_cache(maxsize=1)
def _about() -> dict[str, dict[str, Any]]:
    return tomllib.loads((DATA / "foreign.toml").read_text(encoding="utf-8"))


def kinds() -> tuple[str, ...]:
    """The taxonomies that can be read."""
    return tuple(_about())


def read_foreign(
    slug: str, path: Path, *, release: str = "", language: str = "en", progress: Callable[[str, int], None] | None = None
) -> Foreign:
    """Read a folder of the publisher's files (O*NET: or the one file). A bad row is a fault and the others are read.

    Raises ForeignError when a file that must be there is not, is not text in UTF-8, or lacks a column.
    """
    if slug not in kinds():
        raise ForeignError(f"{slug}: the taxonomies that can be read are {', '.join(kinds())}")
    found = Foreign(slug, release or str(_about()[slug]["release"]), {}, [])
    reader = _Reader(found, path, progress or (lambda name, rows: None))
    before = csv.field_size_limit(_CELL_LONGEST)
    try:
        _onet(reader) if slug == "onet" else _esco(reader, language)
    except (UnicodeDecodeError, gzip.BadGzipFile, csv.Error) as e:
        raise ForeignError(f"{path}: not a text file in UTF-8: {e}") from e
    finally:
        csv.field_size_limit(before)
    return found


@dataclass(slots=True)
class _Reader:
    """Finds the publisher's files and gives their rows, each with the line it begins in."""

    found: Foreign
    path: Path
    progress: Callable[[str, int], None]

    def file(self, stem: str) -> Path | None:
        """The file whose name is `stem` but for case, spaces and endings."""
        if self.path.is_file():
            return self.path
        if not self.path.is_dir():
            raise ForeignError(f"{self.path}: no such file or folder")
        return next((p for p in sorted(self.path.iterdir()) if _plain(p.name) == stem), None)

    def rows(
        self, stem: str, columns: tuple[str, ...], *, tabs: bool = False, needed: bool = False
    ) -> Iterator[tuple[str, int, dict[str, str]]]:
        file = self.file(stem)
        if file is None:
            if needed:
                raise ForeignError(f"{self.path}: no file {stem}; give the folder as it was downloaded and unpacked")
            return
        with _open(file) as text:
            dialect: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
            lines = csv.reader(text, **dialect)
            header = next(lines, [])
            lacking = [c for c in columns if c not in header]
            if lacking:
                raise ForeignError(f"{file.name}: the column {', '.join(lacking)} is missing; it has {', '.join(header[:12])}")
            begins = lines.line_num + 1
            for number, row in enumerate(lines, 1):
                line, begins = begins, lines.line_num + 1
                self.found.rows += 1
                if number % 5000 == 0:
                    self.progress(file.name, number)
                if len(row) == len(header):
                    yield file.name, line, dict(zip(header, row, strict=True))
                elif row:
                    self.fault(file.name, line, f"{len(row)} columns where the first line has {len(header)}")
            self.progress(file.name, lines.line_num)

    def fault(self, file: str, line: int, reason: str) -> None:
        self.found.faults.append(Fault(file, line, reason))

    def concept(self, file: str, line: int, key: str, name: str, spellings: tuple[str, ...] = ()) -> Concept | None:
        """The concept of a row, or None with a fault when nobody could be shown its name."""
        name = clean(name)
        wrong = (
            "it has no name"
            if not fold(name)
            else f"the name has {len(name)} characters, {NAME_LONGEST} are the most"
            if len(name) > NAME_LONGEST
            else f"the key has {len(key)} characters, {KEY_LONGEST} are the most"
            if len(key) > KEY_LONGEST
            else "it has no key"
            if not key
            else ""
        )
        if wrong:
            self.fault(file, line, wrong)
            return None
        return Concept(key, name, spellings)


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _plain(name: str) -> str:
    return re.sub(r"(\.(txt|tsv|csv|gz))+$", "", name.lower()).replace(" ", "_")


def _onet(reader: _Reader) -> None:
    """One row a technology and occupation: many rows make a concept, whose key is its folded name: it has no number there. A bad one is told once."""
    concepts, bad = reader.found.concepts, set()
    for file, line, row in reader.rows("technology_skills", ("O*NET-SOC Code", "Example"), tabs=True, needed=True):
        name, code = row["Example"].strip(), row["O*NET-SOC Code"].strip()
        key = fold(name)
        if name in bad:
            continue
        if not re.fullmatch(r"\d\d-\d{4}\.\d\d", code):
            reader.fault(file, line, f"{code!r} is no O*NET-SOC code, which is written 15-1252.00")
            continue
        if key not in concepts:
            made = reader.concept(file, line, key, name)
            if made is None:
                bad.add(name)
                continue
            concepts[key] = made
        concepts[key].codes[code] += 1


def _esco(reader: _Reader, language: str) -> None:
    concepts = reader.found.concepts
    for file, line, row in reader.rows(f"skills_{language}", ("conceptUri", "preferredLabel", "altLabels"), needed=True):
        spellings = (clean(s) for s in _LINES.split(f"{row['altLabels']}\n{row.get('hiddenLabels', '')}"))
        made = reader.concept(file, line, row["conceptUri"].strip(), row["preferredLabel"], tuple(dict.fromkeys(s for s in spellings if s)))
        if made is not None and made.key in concepts:
            reader.fault(file, line, f"{made.key} stands in the file twice")
        elif made is not None:
            concepts[made.key] = made
    _esco_relations(reader, language)
    codes = {
        row["conceptUri"].strip(): row["iscoGroup"].strip().upper().removeprefix("C")
        for _, _, row in reader.rows(f"occupations_{language}", ("conceptUri", "iscoGroup"))
    }
    for file, line, row in reader.rows(f"occupationskillrelations_{language}", ("occupationUri", "skillUri")):
        concept, code = concepts.get(row["skillUri"].strip()), codes.get(row["occupationUri"].strip())
        if concept is not None and code:
            concept.codes[code] += 1
        elif code is None:
            reader.fault(file, line, f"{row['occupationUri']} is in no file of occupations")


def _esco_relations(reader: _Reader, language: str) -> None:
    """Relations between two skills that were read. Groups of skills are no skills, and what was left out is told once, not again here."""
    concepts = reader.found.concepts
    for file, line, row in reader.rows(f"broaderrelationsskillpillar_{language}", ("conceptUri", "broaderUri")):
        one, other = row["conceptUri"].strip(), row["broaderUri"].strip()
        if one == other:
            reader.fault(file, line, f"{one} is broader than itself")
        elif one in concepts and other in concepts:
            concepts[one].relations["broader", other] = 1.0
    for file, line, row in reader.rows(f"skillskillrelations_{language}", ("originalSkillUri", "relationType", "relatedSkillUri")):
        one, other, kind = (row[c].strip() for c in ("originalSkillUri", "relatedSkillUri", "relationType"))
        if kind not in _WEIGHTS:
            reader.fault(file, line, f"{kind!r} is no relation; known are {', '.join(_WEIGHTS)}")
        elif one in concepts and other in concepts and one != other:
            concepts[one].relations["related", other] = _WEIGHTS[kind]
