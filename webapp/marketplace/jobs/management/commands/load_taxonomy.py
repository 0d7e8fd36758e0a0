"""`manage.py load_taxonomy`: bring categories, skills, aliases and relations up to the files of the release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace.jobs.taxonomy import TaxonomyError, load


class Command(BaseCommand):
    help = "Load the taxonomy of skills into the database; running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = load()
        except TaxonomyError as e:
            raise CommandError(f"The taxonomy's files contradict themselves; nothing was loaded:\n{e}") from e
        for table, counts in report.items():
            self.stdout.write(
                f"{table:10} {counts.created:6} created {counts.updated:6} updated {counts.removed:6} removed {counts.unchanged:6} unchanged"
                + (f" {counts.left:6} no longer in the files" if counts.left else "")
            )
