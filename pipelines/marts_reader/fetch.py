"""The store's publications on a machine that only reads: fetched into its own folder, where dashboards open them as ever.

    python -m pipelines.marts_reader.fetch [--audience staff] [--every SECONDS]

A part is fetched once, whichever publications use it; the pointer moves when all of a publication is here. What the store forgot
goes here too. Exit codes: 0 the store's publication is here; 2 it could not be fetched (the message says why; the pointer stays).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import duckdb

from .. import files, paths, refusals, store
from ..claim import said
from .kept import collect, names, parts
from .pointer import POINTER

AUDIENCES = ("staff", "tenants")
_ARRIVING = ".arriving-"


def bring(folder: Path, *, whole: bool = False) -> str | None:
    """Make the folder hold the store's current publication of its audience, with `whole` also those before it; returns its id.

    None when there is no store, or nothing is published there. Call it under the lock of the folders. Raises store.StoreError.
    """
    place = store.below(f"published/{folder.name}")
    pointer = said(place.read(POINTER)) if place else None
    if place is None or pointer is None:
        return None
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_ARRIVING}*"):
        left.unlink()
    for name in reversed(names(pointer) if whole else [pointer["file"]]):
        if not (folder / name).is_file():
            _fetch(place, folder, name)
    earlier = [told for told in pointer["previous"] if (folder / told["file"]).is_file()]
    content = {**pointer, "previous": earlier}
    if content != files.read_json(folder / POINTER):
        files.write_json(folder / POINTER, content)
        collect(folder)
    return str(pointer["publish_id"])


def _fetch(place: store.Store, folder: Path, name: str) -> None:
    """One publication: its parts first, and its views pointed at where they lie here."""
    arriving = folder / f"{_ARRIVING}{name}"
    place.get({name: arriving})
    missing = [part for part in parts(arriving) if not (folder / "parts" / part).is_file()]
    on_the_way = {part: folder / f"{_ARRIVING}{os.getpid()}-{part}" for part in missing}
    place.get({f"parts/{part}": path for part, path in on_the_way.items()})
    for part, path in on_the_way.items():
        files.sync(path)
        path.replace(folder / "parts" / part)
    with duckdb.connect(str(arriving)) as db:
        for relation, part in db.execute("SELECT relation, part FROM _meta.model WHERE part IS NOT NULL").fetchall():
            schema, alias = relation.split(".", 1)
            db.execute(f"""CREATE OR REPLACE VIEW "{schema}"."{alias}" AS SELECT * FROM read_parquet('{folder / "parts" / part}')""")
    files.sync(arriving)
    arriving.replace(folder / name)
    files.sync(folder)


def fetch(audiences: tuple[str, ...] = AUDIENCES) -> dict[str, str | None]:
    """Bring these audiences' current publications here; returns their ids. Raises store.StoreError, files.Busy."""
    root = paths.published()
    with files.lock(root / ".lock", wait_seconds=60):
        return {audience: bring(root / audience) for audience in audiences}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.marts_reader.fetch", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--audience", action="append", choices=AUDIENCES, help="only this one: a machine for tenants needs no more")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="go on for ever, and look so often")
    options = parser.parse_args(arguments)
    return refusals.command(lambda: _act(options), prefix="not fetched")


def _act(options: argparse.Namespace) -> int:
    told: dict[str, str | None] = {}
    while True:
        try:
            found = fetch(tuple(options.audience or AUDIENCES))
            code = 0
            if found != told:
                sys.stdout.writelines(f"{audience}: {publish_id or 'nothing is published'}\n" for audience, publish_id in found.items())
                sys.stdout.flush()
            told = found
        except (store.StoreError, files.Busy) as refused:
            sys.stderr.write(f"not fetched: {refused}\n")
            code = 2
        if options.every is None:
            return code
        time.sleep(options.every)


if __name__ == "__main__":
    sys.exit(main())
