"""The index on disk: one folder a build, a pointer that names the current one, one writer at a time over all processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tantivy
from django.conf import settings

from marketplace.core.money import Money
from marketplace.payments.selectors import worth

from ..models import Job
from ..selectors import skills_of_jobs
from .words import indexed

ANALYZER = "words"
WRITER_BYTES = 32_000_000
CHUNK = 2000
COMPARED_IN = "USD"


def schema() -> tantivy.Schema:
    """What is indexed of a post. Texts come cut by `words.indexed`; facts are for filters and order."""
    build = tantivy.SchemaBuilder()
    build.add_integer_field("id", stored=True, indexed=True, fast=True)
    build.add_integer_field("opened", stored=True, indexed=True, fast=True)
    build.add_integer_field("worth", stored=False, indexed=True, fast=True)
    for name in ("low", "high", "skill", "category"):
        build.add_integer_field(name, indexed=True)
    for name in ("pricing", "level", "currency"):
        build.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("title", "skills", "description"):
        build.add_text_field(name, tokenizer_name=ANALYZER, index_option="freq")
    return build.build()


def _root() -> Path:
    return Path(settings.SEARCH_DIR)


def _open(folder: Path) -> tantivy.Index:
    index = tantivy.Index(schema(), path=str(folder))
    index.register_tokenizer(ANALYZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    return index


@contextlib.contextmanager
def _sole_writer() -> Iterator[None]:
    """One writer at a time, over threads and processes; the lock ends with the process that holds it."""
    _root().mkdir(parents=True, exist_ok=True)
    with (_root() / "writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _current() -> Path | None:
    try:
        folder = _root() / (_root() / "CURRENT").read_text().strip()
    except FileNotFoundError:
        return None
    return folder if (folder / "meta.json").is_file() else None


class _Reader:
    """This process's open index, reopened when another build is current and reloaded when somebody committed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._stamp = -1
        self._index: tantivy.Index | None = None

    def searcher(self) -> tantivy.Searcher:
        folder = _current()
        if folder is None:
            rebuild()
            folder = _current()
        if folder is None:
            raise RuntimeError("the search index could not be built")
        with self._lock:
            stamp = (folder / "meta.json").stat().st_mtime_ns
            if self._index is None or folder != self._folder:
                self._index, self._folder, self._stamp = _open(folder), folder, stamp
            elif stamp != self._stamp:
                self._index.reload()
                self._stamp = stamp
            return self._index.searcher()


_reader = _Reader()


def searcher() -> tantivy.Searcher:
    """A view of everything committed so far; builds the index when there is none."""
    return _reader.searcher()


def rebuild(progress: Callable[[int], None] = lambda done: None) -> int:
    """Build the index of all open public posts anew beside the current one, then switch. Returns the number of posts.

    Readers keep what they have until the switch; a build that dies leaves the old one current.
    """
    with _sole_writer():
        folder = _root() / uuid.uuid4().hex
        folder.mkdir()
        writer = _open(folder).writer(WRITER_BYTES, 1)
        done, last = 0, 0
        while True:
            posts = list(_searchable().filter(pk__gt=last).order_by("pk")[:CHUNK])
            if not posts:
                break
            for document in _documents(posts):
                writer.add_document(document)
            done, last = done + len(posts), posts[-1].pk
            progress(done)
        writer.commit()
        writer.wait_merging_threads()
        pointer = _root() / f"CURRENT.{uuid.uuid4().hex}"
        pointer.write_text(folder.name)
        os.replace(pointer, _root() / "CURRENT")  # noqa: PTH105 - atomic over an existing file on every system
        for old in _root().iterdir():
            if old.is_dir() and old != folder:
                shutil.rmtree(old, ignore_errors=True)
    return done


def sync(job_ids: Sequence[int]) -> None:
    """Bring these posts' documents to what the database says now; running it twice changes nothing more."""
    if _current() is None:
        return  # the first search builds the index from the database
    with _sole_writer():
        folder = _current()
        if folder is None:
            return
        writer = _open(folder).writer(WRITER_BYTES, 1)
        for job_id in job_ids:
            writer.delete_documents_by_query(tantivy.Query.term_query(schema(), "id", job_id))
        for document in _documents(list(_searchable().filter(pk__in=job_ids))):
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()


def _searchable() -> Any:
    return Job.objects.filter(state="open", visibility=Job.Visibility.PUBLIC, opened_at__isnull=False)


def _documents(posts: Sequence[Job]) -> Iterator[tantivy.Document]:
    skills = skills_of_jobs([p.pk for p in posts])
    for post in posts:
        asked = skills.get(post.pk, [])
        low, high = post.budget_min_minor, post.budget_max_minor or post.budget_min_minor
        facts: dict[str, Any] = {
            "id": post.pk,
            "opened": int(post.opened_at.timestamp()),  # type: ignore[union-attr]
            "category": post.category_id,
            "pricing": post.pricing,
            "currency": post.currency,
            "title": indexed(post.title),
            "skills": indexed(" ".join(s.name for s in asked)),
            "description": indexed(post.description),
            "worth": 0,
        }
        if post.experience_level:
            facts["level"] = post.experience_level
        if low is not None and high is not None:
            compared = worth(Money(high, post.currency), COMPARED_IN)
            facts.update(low=low, high=high, worth=compared.minor if compared else 0)
        document = tantivy.Document(**{k: [v] for k, v in facts.items()})
        for skill in asked:
            document.add_integer("skill", skill.pk)
        yield document
