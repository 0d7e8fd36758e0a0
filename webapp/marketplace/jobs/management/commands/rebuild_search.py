"""Builds the search indexes anew from the database."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from marketplace.jobs import search


class Command(BaseCommand):
    help = "Build the search indexes of all open public posts and active freelancers anew and switch to them; searches go on meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        done = search.rebuild(lambda n: self.stdout.write(f"\r{n:,} documents", ending=""))
        self.stdout.write(f"\r{done:,} posts and freelancers in the index, {time.monotonic() - began:.1f} s")
