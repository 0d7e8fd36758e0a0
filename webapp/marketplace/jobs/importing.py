"""Importing posts from a CSV of any layout: streamed, in batches of one transaction each, and repeatable.

Every row ends as imported, unchanged (a post of an earlier run: never overwritten, it lives its own life since) or rejected.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import IntegrityError

from marketplace.accounts.importing import import_client_ensure
from marketplace.core import clock, events, features
from marketplace.core.errors import InvalidInput
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from .import_format import COLUMNS, FileMapping, ImportedPost, RowRejected, post_of
from .models import Category, Job, JobSkill, Skill
from .states import JOB
from .taxonomy import normalise
from .taxonomy import source as taxonomy_source

BATCH = 200
RIVALS = 5


@dataclass(slots=True)
class ImportReport:
    """Counts of one run: imported + unchanged + rejected = rows."""

    rows: int = 0
    imported: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unknown_skills: Counter[str] = field(default_factory=Counter)
    unknown_countries: Counter[str] = field(default_factory=Counter)
    guessed_categories: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]
    post: ImportedPost


def posts_import(
    *, path: Path, mapping: FileMapping, source: str, rejects: Path, progress: Callable[[ImportReport], None] = lambda report: None
) -> ImportReport:
    """Import every post of the file under the name `source` (1–64 characters), publishing each at the present business time.

    Guarantees: a second run of the same file imports nothing; each batch of BATCH rows is one transaction, so a run that breaks off
    continues where it stopped when repeated; each new post has the events of a post that a client wrote and published. The operator
    vouches for the file: posts are not held for moderation. Rejected rows go to `rejects` with line and reason.
    Raises InvalidInput when the file cannot be read, lacks a mapped column, or no taxonomy is loaded.
    """
    if not 1 <= len(source) <= 64:
        raise InvalidInput("source_name", "Name the source in 1 to 64 characters (--source).")
    if rejects.exists() and path.exists() and rejects.samefile(path):
        raise InvalidInput("rejects_path", "The rejects must go to another file than the one that is read.")
    terms = _Terms.load()
    report = ImportReport()
    seen: dict[str, int] = {}
    rejects.parent.mkdir(parents=True, exist_ok=True)
    with rejects.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        rows = _rows(path, mapping)
        header = next(rows)[1]
        places = _places(header, mapping)
        writer.writerow(["line", "reason", *header])
        batch: list[_Row] = []

        def flush() -> None:
            for row, why in _store_batch(batch, source, terms, report):
                _reject(report, writer, row.line, why, row.cells)
            batch.clear()
            progress(report)

        for line, cells in rows:
            report.rows += 1
            try:
                if len(cells) != len(header):
                    raise RowRejected("the row has not as many fields as the header", f"{len(cells)}, not {len(header)}")
                post = post_of({name: cells[i] for name, i in places.items()}, mapping, source)
                if (first := seen.setdefault(post.key, line)) != line:
                    raise RowRejected("the same post stands further up", f"line {first}")
            except RowRejected as e:
                _reject(report, writer, line, e, cells)
                continue
            batch.append(_Row(line, cells, post))
            if len(batch) == BATCH:
                flush()
        flush()
    return report


def _reject(report: ImportReport, writer: Any, line: int, why: RowRejected, cells: Sequence[str]) -> None:
    report.rejected += 1
    report.reasons[why.reason] += 1
    writer.writerow([line, str(why), *cells])


def _rows(path: Path, mapping: FileMapping) -> Iterator[tuple[int, list[str]]]:
    """(line where the record begins, its fields), the header first; empty lines are no rows."""
    empty = True
    begins = 1
    try:
        with path.open(encoding=mapping.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=mapping.delimiter)
            for cells in reader:
                if cells:
                    empty = False
                    yield begins, cells
                begins = reader.line_num + 1
    except UnicodeDecodeError as e:
        raise InvalidInput(
            "file_encoding",
            f"{path} is not {mapping.encoding} from line {begins} on: {e.reason}. Name its encoding in the mapping: [file] encoding = "
            '"cp1252". The whole batches before that line are imported; run the command again to go on.',
        ) from e
    except csv.Error as e:
        raise InvalidInput("file_broken", f"{path}, record at line {begins}: {e}. Look for an unclosed quotation mark there.") from e
    except OSError as e:
        raise InvalidInput("file_unreadable", f"{path} cannot be read: {e.strerror}.") from e
    if empty:
        raise InvalidInput("file_empty", f"{path} is empty: a header line is needed.")


def _places(header: list[str], mapping: FileMapping) -> dict[str, int]:
    names = [name.strip() for name in header]
    missing = {what: column for what, column in mapping.columns.items() if column and column not in names}
    if missing:
        lines = "\n".join(f'  the column "{column}" for {what}: set [columns] {what} = "…"' for what, column in missing.items())
        raise InvalidInput(
            "column_missing",
            f"The file lacks:\n{lines}\nIt has: {', '.join(names)}. Write a mapping (--mapping FILE.toml) whose [columns] names the file's own; "
            'a column that the file does not have is "" there (only title is needed).',
        )
    return {what: names.index(mapping.columns[what]) for what in COLUMNS if mapping.columns.get(what)}


@dataclass(frozen=True, slots=True)
class _Terms:
    """Ids of the loaded taxonomy by slug."""

    categories: dict[str, int]
    skills: dict[str, int]

    @classmethod
    def load(cls) -> _Terms:
        terms = cls(dict(Category.objects.values_list("slug", "pk")), _skill_ids())
        wanted = taxonomy_source()
        if not terms.categories.keys() >= wanted.categories.keys() or not terms.skills.keys() >= wanted.skills.keys():
            raise InvalidInput(
                "taxonomy_missing", "The taxonomy in the database is missing or older than the files: run manage.py load_taxonomy first."
            )
        return terms


def _skill_ids() -> dict[str, int]:
    return {slug: merged or pk for slug, pk, merged in Skill.objects.values_list("slug", "pk", "merged_into")}


@dataclass(frozen=True, slots=True)
class _Mentions:
    skills: tuple[str, ...]
    attributes: dict[str, list[str]]
    unknown: tuple[str, ...]


def _mentions(texts: Sequence[str]) -> _Mentions:
    skills: dict[str, None] = {}
    attributes: dict[str, set[str]] = defaultdict(set)
    unknown = []
    for text in texts:
        match = normalise(text)
        if match.skill_slug is not None:
            skills[match.skill_slug] = None
        elif match.attribute is not None and match.value is not None:
            attributes[match.attribute].add(match.value)
        else:
            unknown.append(text)
    return _Mentions(tuple(skills), {name: sorted(values) for name, values in sorted(attributes.items())}, tuple(unknown))


def _store_batch(batch: Sequence[_Row], source: str, terms: _Terms, report: ImportReport) -> list[tuple[_Row, RowRejected]]:
    """Write one batch in one transaction; counts only what was committed. Returns the rows that no category fits."""
    if not batch:
        return []
    categories = {row.line: slug for row in batch if (slug := _category(row.post)) is not None}
    fit = [row for row in batch if row.line in categories]

    def store() -> set[int]:
        known = set(Job.objects.filter(source_key__in=[row.post.key for row in fit]).values_list("source_key", flat=True))
        new = [row for row in fit if row.post.key not in known]
        clients = {
            country: import_client_ensure(source=source, country=country).pk for country in sorted({row.post.country for row in new})
        }
        for row in new:
            _publish(row.post, source, clients[row.post.country], terms.categories[categories[row.line]], terms)
        return {row.line for row in new}

    written = _beside_rivals(store)
    for row in fit:
        if row.line in written:
            _count_unknown(row.post, report)
    report.imported += len(written)
    report.unchanged += len(fit) - len(written)
    return [
        (row, RowRejected("no category fits; add it to the mapping's [categories]", row.post.category)) for row in batch if row not in fit
    ]


def _beside_rivals(store: Callable[[], set[int]]) -> set[int]:
    """Run `store` in a transaction of its own. When another import commits the same posts or client first, its rows are found the next time."""
    for _ in range(RIVALS - 1):
        try:
            return run_in_transaction(store)
        except IntegrityError:
            continue
    return run_in_transaction(store)


def _count_unknown(post: ImportedPost, report: ImportReport) -> None:
    report.unknown_skills.update(_mentions(post.skills).unknown)
    if post.country_text and not post.country:
        report.unknown_countries[post.country_text] += 1
    if taxonomy_source().category_of(post.category) is None:
        report.guessed_categories[post.category] += 1


def _category(post: ImportedPost) -> str | None:
    """By name; failing that, the one most of the post's skills belong to (ties: the earlier in the taxonomy)."""
    taxonomy = taxonomy_source()
    if named := taxonomy.category_of(post.category):
        return named
    votes = Counter(taxonomy.skills[slug].category for slug in _mentions(post.skills).skills)
    order = list(taxonomy.categories)
    return max(votes, key=lambda slug: (votes[slug], -order.index(slug)), default=None)


def _publish(post: ImportedPost, source: str, client_id: int, category_id: int, terms: _Terms) -> Job:
    mentions = _mentions(post.skills)
    now = clock.now()
    job = Job.objects.create(
        client_id=client_id,
        title=post.title,
        description=post.description,
        category_id=category_id,
        pricing=post.pricing,
        currency=post.currency,
        budget_min_minor=post.budget_min_minor,
        budget_max_minor=post.budget_max_minor,
        experience_level=post.level or next(iter(mentions.attributes.get("experience", [])), ""),
        attributes=mentions.attributes,
        raw_skills=list(mentions.unknown),
        source=source,
        source_key=post.key,
        source_published_at=post.published_at,
        created_at=now,
        opened_at=now,
        expires_at=now + timedelta(days=features.number("JOB_OPEN_DAYS")),
    )
    JobSkill.objects.bulk_create([JobSkill(job=job, skill_id=pk) for pk in dict.fromkeys(terms.skills[slug] for slug in mentions.skills)])
    events.record(
        aggregate=job, kind="job.create", actor_id=client_id, after={"state": job.state, "title": job.title}, reason=f"import: {source}"
    )
    move(job, JOB, "publish", role="client", actor_id=client_id, reason=f"import: {source}")
    return job
