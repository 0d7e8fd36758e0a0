"""manage.py load_bundle NAME [VERSION]: verify an exported bundle and make it the one that is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ml.serving import BundleError, switch
from ml.serving.bundle import MANIFEST


class Command(BaseCommand):
    help = "Verify an exported bundle by its hashes and make it current; running web processes pick it up at the next request."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=["matching"])
        parser.add_argument("version", nargs="?", help="default: the newest exported one")

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.BUNDLES)
        version = options["version"] or _newest(root / options["name"])
        try:
            manifest = switch(root, options["name"], version)
        except BundleError as e:
            raise CommandError(str(e)) from e
        self.stdout.write(f"{options['name']} {manifest['version']} is served now ({len(manifest['files'])} files verified)")


def _newest(home: Path) -> str:
    """The version that was written last, by its manifest."""
    manifests = [json.loads(p.read_text()) for p in home.glob(f"*/{MANIFEST}")]
    if not manifests:
        raise CommandError(f"no bundle in {home}: run `make train` first")
    return str(max(manifests, key=lambda m: m["created_at"])["version"])
