"""`manage.py import_taxonomy onet|esco FOLDER`: the skills of a whole O*NET or ESCO release, beside our own."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from marketplace.jobs.models import Category, SkillSource
from marketplace.jobs.taxonomy import Foreign, ForeignError, ImportReport, kinds, read_foreign, taxonomy_import

SHOWN = 10


class Command(BaseCommand):
    help = "Import the skills of O*NET or ESCO. Running it again changes nothing. Rows that were left out are written with line and reason."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("taxonomy", choices=kinds())
        parser.add_argument("path", type=Path, help="the unpacked folder of the release (O*NET: text files; ESCO: CSV files), gzip or not")
        parser.add_argument(
            "--release", default="", help="the release that the licence's attribution names (default: the one known to work)"
        )
        parser.add_argument("--language", default="en", help="ESCO: the language of the files, as in skills_en.csv")
        parser.add_argument(
            "--rejects", type=Path, help="where rows that were left out are told (default: <var>/imports/<taxonomy>.rejects.csv)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not Category.objects.exists():
            raise CommandError("Load our own taxonomy first: manage.py load_taxonomy")
        rejects: Path = options["rejects"] or Path(settings.VAR) / "imports" / f"{options['taxonomy']}.rejects.csv"
        try:
            foreign, report = self._run(options)
        except ForeignError as e:
            raise CommandError(str(e)) from e
        except IntegrityError as e:
            raise CommandError(f"Somebody wrote skills at the same time ({e}). What was finished is kept: run it again.") from e
        self._tell(foreign, report, rejects)

    def _run(self, options: dict[str, Any]) -> tuple[Foreign, ImportReport]:
        arguments = {"release": options["release"], "language": options["language"]}
        if not self.stdout.isatty():
            foreign = read_foreign(options["taxonomy"], options["path"], **arguments)
            return foreign, taxonomy_import(foreign)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
        with Progress(*columns, console=Console()) as bar:
            reading = bar.add_task("reading", total=None, counts="")
            foreign = read_foreign(
                options["taxonomy"],
                options["path"],
                **arguments,
                progress=lambda name, rows: bar.update(reading, counts=f"{name}: {rows:,} rows"),
            )
            writing = bar.add_task("writing", total=len(foreign.concepts), counts="")
            return foreign, taxonomy_import(foreign, progress=lambda r: bar.update(writing, completed=r.concepts, counts=_counts(r)))

    def _tell(self, foreign: Foreign, report: ImportReport, rejects: Path) -> None:
        self.stdout.write(f"{foreign.rows} rows read, {report.rejected} left out; {report.concepts} skills there: {_counts(report)}")
        self.stdout.write(
            f"spellings: {report.spellings} new, {report.spellings_removed} removed; relations: {report.relations} new, {report.relations_removed} removed"
        )
        if foreign.faults:
            rejects.parent.mkdir(parents=True, exist_ok=True)
            with rejects.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(("file", "line", "reason"))
                rows.writerows((f.file, f.line, f.reason) for f in foreign.faults)
            self.stdout.write(f"Rows that were left out are told in {rejects}; nothing that left the files was removed:")
            for fault in foreign.faults[:SHOWN]:
                self.stdout.write(f"  {fault.file}, line {fault.line}: {fault.reason}")
            if len(foreign.faults) > SHOWN:
                self.stdout.write(f"  and {len(foreign.faults) - SHOWN} more")
        self.stdout.write(SkillSource.objects.get(slug=foreign.slug).attribution)


def _counts(report: ImportReport) -> str:
    return f"{report.created} created, {report.joined} joined to ours, {report.unchanged} known, {report.renamed} renamed"
