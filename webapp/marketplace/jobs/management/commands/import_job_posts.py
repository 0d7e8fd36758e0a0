"""`manage.py import_job_posts FILE.csv`: import posts of another marketplace, with every row accounted for."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from marketplace.core.errors import DomainError
from marketplace.jobs.import_format import FileMapping
from marketplace.jobs.importing import ImportReport, posts_import

SHOWN = 10


class Command(BaseCommand):
    help = "Import job posts from a CSV file. Running it again imports nothing twice. Rejected rows are written with line and reason."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the CSV file, with a header line")
        parser.add_argument("--mapping", type=Path, help="a TOML file with [columns], [file] and [categories]; see docs/taxonomy.md")
        parser.add_argument("--source", help="the name under which the posts are kept, also across files (default: the file's name)")
        parser.add_argument("--rejects", type=Path, help="where rejected rows go (default: <var>/imports/<file>.rejects.csv)")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        source = path.stem[:64] if options["source"] is None else options["source"]
        rejects: Path = options["rejects"] or Path(settings.VAR) / "imports" / f"{path.stem}.rejects.csv"
        try:
            mapping = FileMapping.read(options["mapping"])
            report = self._run(path, mapping, source, rejects)
        except DomainError as e:
            raise CommandError(e.message) from e
        self._tell(report, rejects)

    def _run(self, path: Path, mapping: FileMapping, source: str, rejects: Path) -> ImportReport:
        if not self.stdout.isatty():
            return posts_import(
                path=path, mapping=mapping, source=source, rejects=rejects, progress=lambda r: self.stdout.write(_counts(r))
            )
        columns = (TextColumn(f"importing {path.name}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
        with Progress(*columns, console=Console()) as bar:
            task = bar.add_task("import", total=None, counts="")
            return posts_import(
                path=path, mapping=mapping, source=source, rejects=rejects, progress=lambda r: bar.update(task, counts=_counts(r))
            )

    def _tell(self, report: ImportReport, rejects: Path) -> None:
        self.stdout.write(f"{report.imported} imported + {report.unchanged} unchanged + {report.rejected} rejected = {report.rows} rows")
        if report.rejected:
            self.stdout.write(f"The rejected rows are in {rejects}:")
            self._list(report.reasons)
        if report.guessed_categories:
            self.stdout.write("Categories that are in no list of ours; their posts went where most of their skills belong:")
            self._list(report.guessed_categories)
        if report.unknown_countries:
            self.stdout.write("Countries that were not recognised and are left empty:")
            self._list(report.unknown_countries)
        if report.unknown_skills:
            self.stdout.write("Skill mentions that are not in the taxonomy; the posts keep them as they are:")
            self._list(report.unknown_skills)

    def _list(self, counted: Counter[str]) -> None:
        for text, count in counted.most_common(SHOWN):
            self.stdout.write(f"  {count:6} × {text or '(empty)'}")
        if len(counted) > SHOWN:
            self.stdout.write(f"         and {len(counted) - SHOWN} more")


def _counts(report: ImportReport) -> str:
    return f"{report.rows} rows read: {report.imported} imported, {report.unchanged} unchanged, {report.rejected} rejected"
