"""A read model on disk: one folder a build, a pointer that names the current one, one writer at a time over all processes.

A build goes on beside the current index; what changes meanwhile is noted in a journal and brought into the new one before the switch.
A process killed at any point leaves the last commit current: the event's delivery is not marked done then, and comes again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tantivy
from django.conf import settings

#: texts are cut by `words.indexed`; this analyzer only takes the words apart again
ANALYZER = "words"
WRITER_BYTES = 64_000_000
CHUNK = 2000
#: ids in one lookup of what the index holds
ASKED_AT_ONCE = 500

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a shelf's documents come from. Facts are what is indexed of one object: scalars, lists of them; `id` and nothing None.

    `after(pk, n)` are the facts of the next n searchable objects by id and the last id looked at; `of(ids)` those of these objects.
    A change of what is indexed needs another `version`: an index of another version counts as absent.
    """

    name: str
    version: str
    schema: tantivy.Schema
    after: Callable[[int, int], tuple[list[Facts], int | None]]
    of: Callable[[Sequence[int]], list[Facts]]


def new_schema() -> tantivy.SchemaBuilder:
    """A schema with what every shelf needs: the object's id, and a stamp by which a repeated delivery is seen to change nothing."""
    build = tantivy.SchemaBuilder()
    build.add_integer_field("id", indexed=True, fast=True)
    build.add_integer_field("stamp", fast=True)
    return build


def fact_fields(build: tantivy.SchemaBuilder, *names: str) -> None:
    """Words taken whole, for filters and counts."""
    for name in names:
        build.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")


def number_fields(build: tantivy.SchemaBuilder, *names: str) -> None:
    """Whole numbers, for ranges and order."""
    for name in names:
        build.add_integer_field(name, indexed=True, fast=True)


def text_fields(build: tantivy.SchemaBuilder, *names: str) -> None:
    for name in names:
        build.add_text_field(name, tokenizer_name=ANALYZER, index_option="freq")


@dataclass(frozen=True, slots=True)
class View:
    """Everything committed up to one moment; `state` names that moment."""

    searcher: tantivy.Searcher
    state: tuple[str, int]


class Shelf:
    """One kind of thing that can be searched."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.schema = source.schema
        self._lock = threading.Lock()
        self._open_folder: Path | None = None
        self._stamp = -1
        self._index: tantivy.Index | None = None

    def view(self) -> View:
        """What is committed now, memory-mapped and opened once a process; builds the index when there is none of this version."""
        folder = self._current()
        if folder is None:
            self.rebuild()
            folder = self._current()
        if folder is None:
            raise RuntimeError("the search index could not be built")
        with self._lock:
            stamp = (folder / "meta.json").stat().st_mtime_ns
            if self._index is None or folder != self._open_folder:
                self._index, self._open_folder, self._stamp = self._open(folder), folder, stamp
            elif stamp != self._stamp:
                self._index.reload()
                self._stamp = stamp
            return View(self._index.searcher(), (str(folder), self._stamp))

    def rebuild(self, progress: Callable[[int], None] = lambda done: None) -> int:
        """Build the index of everything searchable anew beside the current one, then switch. Returns the number of documents.

        Readers keep what they have until the switch, writers are not held up; a build that dies leaves the old index current.
        """
        with self._sole("build.lock"):
            with self._sole("writer.lock"):
                self._journal.write_text("")
            folder = self._root / f"{self.source.version}-{uuid.uuid4().hex}"
            folder.mkdir()
            index = self._open(folder)
            writer = index.writer(WRITER_BYTES, 1)
            done, last = 0, 0
            while True:
                found, looked_at = self.source.after(last, CHUNK)
                if looked_at is None:
                    break
                for facts in found:
                    writer.add_document(_document(facts))
                done, last = done + len(found), looked_at
                progress(done)
            writer.commit()
            writer.wait_merging_threads()
            with self._sole("writer.lock"):
                late = sorted({int(line) for line in self._journal.read_text().split()})
                self._put(index, late)
                self._switch(folder)
                self._journal.unlink()
        return done

    def is_current(self, ids: Sequence[int]) -> bool:
        """Whether the index says of these objects what the database says. True without an index: the first search builds it."""
        folder = self._current()
        return folder is None or not self._differing(self.view().searcher, ids)[0]

    def sync(self, ids: Sequence[int]) -> None:
        """Bring these objects' documents to what the database says now, in one commit; running it twice changes nothing more."""
        if not ids or self._current() is None:
            return
        with self._sole("writer.lock"):
            folder = self._current()
            if folder is None:
                return
            if self._journal.exists():
                with self._journal.open("a") as journal:
                    journal.writelines(f"{pk}\n" for pk in ids)
            self._put(self._open(folder), ids)

    def reread(self, after: int, limit: int = CHUNK) -> tuple[int | None, int]:
        """Bring the documents of the next `limit` searchable objects after this id to what the database says now; returns the last id looked
        at, None when there are no more, and how many documents were behind. Without an index there is nothing to do: the first search builds it.
        """
        if self._current() is None:
            return None, 0
        found, looked_at = self.source.after(after, limit)
        stale = self._stale(self.view().searcher, [f["id"] for f in found], {f["id"]: f for f in found})
        self.sync(stale)  # reads them again under its lock
        return looked_at, len(stale)

    def _put(self, index: tantivy.Index, ids: Sequence[int]) -> None:
        index.reload()  # a build has written since it opened the index
        stale, facts = self._differing(index.searcher(), ids)
        if not stale:
            return
        writer = index.writer(WRITER_BYTES, 1)
        for pk in stale:
            writer.delete_documents_by_term("id", pk)
            if pk in facts:
                writer.add_document(_document(facts[pk]))
        writer.commit()
        writer.wait_merging_threads()

    def _differing(self, searcher: tantivy.Searcher, ids: Sequence[int]) -> tuple[list[int], dict[int, Facts]]:
        """Those of the objects of which the index says something else than the database, and the facts of all that are searchable."""
        facts = {f["id"]: f for f in self.source.of(ids)}
        return self._stale(searcher, ids, facts), facts

    def _stale(self, searcher: tantivy.Searcher, ids: Sequence[int], facts: Mapping[int, Facts]) -> list[int]:
        told: dict[int, int] = {}
        for start in range(0, len(ids), ASKED_AT_ONCE):
            some = list(ids[start : start + ASKED_AT_ONCE])
            hits = searcher.search(tantivy.Query.term_set_query(self.schema, "id", some), limit=2 * len(some), count=False).hits
            where = [address for _, address in hits]
            told |= dict(zip(searcher.fast_field_values("id", where), searcher.fast_field_values("stamp", where), strict=True))  # type: ignore[arg-type]
        wanted = {pk: _stamp(f) for pk, f in facts.items()}
        return [pk for pk in dict.fromkeys(ids) if wanted.get(pk) != told.get(pk)]

    @property
    def _root(self) -> Path:
        return Path(settings.SEARCH_DIR) / self.source.name

    @property
    def _journal(self) -> Path:
        return self._root / "journal"

    def _current(self) -> Path | None:
        try:
            folder = self._root / (self._root / "CURRENT").read_text().strip()
        except FileNotFoundError:
            return None
        right = folder.name.startswith(f"{self.source.version}-")
        return folder if right and (folder / "meta.json").is_file() else None

    def _open(self, folder: Path) -> tantivy.Index:
        index = tantivy.Index(self.schema, path=str(folder))
        index.register_tokenizer(ANALYZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        return index

    @contextlib.contextmanager
    def _sole(self, name: str) -> Iterator[None]:
        """One holder at a time, over threads and processes; the lock ends with the process that holds it."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _switch(self, folder: Path) -> None:
        pointer = self._root / f"CURRENT.{uuid.uuid4().hex}"
        pointer.write_text(folder.name)
        os.replace(pointer, self._root / "CURRENT")  # noqa: PTH105 - atomic over an existing file on every system
        for old in self._root.iterdir():
            if old.is_dir() and old != folder:
                shutil.rmtree(old, ignore_errors=True)


def _stamp(facts: Facts) -> int:
    told = repr(sorted(facts.items())).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big", signed=True)


def _document(facts: Facts) -> tantivy.Document:
    values = {name: value if isinstance(value, list) else [value] for name, value in facts.items()}
    return tantivy.Document(stamp=[_stamp(facts)], **{name: value for name, value in values.items() if value})


def in_batches(ids: Iterable[int], size: int = CHUNK) -> Iterator[list[int]]:
    """The ids, each once and in order, `size` at a time."""
    every = sorted(set(ids))
    for start in range(0, len(every), size):
        yield every[start : start + size]
