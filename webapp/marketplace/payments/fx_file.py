"""The ECB's published rates, read by themselves from where FX_RATES_FILE says: a path, or an address that is asked over https."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from . import fx

#: the whole history since 1999 is about 600 kB, zipped
MOST_BYTES = 20 * 2**20
#: so many days of the file are stored: what was missed while nobody read it
DAYS = 30


def import_configured() -> int:
    """Store what is new in the file of FX_RATES_FILE; returns how many rows. Idempotent, so that whoever reads it twice changes nothing.

    Raises OSError, httpx.HTTPError or ValueError for one that cannot be read; nothing is stored then.
    """
    source = settings.FX_RATES_FILE
    if urlsplit(source).scheme not in ("http", "https"):
        return fx.import_ecb(DAYS, source)
    with tempfile.TemporaryDirectory() as folder:
        return fx.import_ecb(DAYS, str(_fetched(source, Path(folder))))


def _fetched(address: str, folder: Path) -> Path:
    kept, size = folder / Path(urlsplit(address).path).name, 0
    with httpx.stream("GET", address, timeout=30, follow_redirects=True) as answer, kept.open("wb") as out:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise ValueError("The file of exchange rates is larger than the whole history is.")
            out.write(part)
    return kept
