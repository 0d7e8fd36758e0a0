"""Bundles on disk: written once, verified by hash, made current by replacing one small pointer file.

<root>/<name>/<version>/manifest.json   {"name", "version", "created_at", "meta", "files": {name: sha256}}
<root>/<name>/<version>/*.npy, *.json
<root>/<name>/CURRENT.json              {"version", "manifest_sha256"}
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANIFEST = "manifest.json"
POINTER = "CURRENT.json"


class BundleError(Exception):
    """Something about a bundle; the message names the file and what to do."""


class NoBundle(BundleError):
    """No bundle was ever made current."""


class CorruptBundle(BundleError):
    """A file is missing, was changed, or does not fit its manifest."""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while chunk := f.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write(
    root: Path,
    name: str,
    version: str,
    *,
    arrays: Mapping[str, NDArray[Any]],
    documents: Mapping[str, Any],
    meta: Mapping[str, Any],
) -> Path:
    """Write a bundle beside the others and return its folder; it is not current until `switch`.

    The folder appears whole or not at all. A version is written once: writing it again raises BundleError.
    """
    home = root / name
    home.mkdir(parents=True, exist_ok=True)
    target = home / version
    if target.exists():
        raise BundleError(f"{target} exists already; a bundle is never changed, choose a new version")
    work = Path(tempfile.mkdtemp(prefix=".writing-", dir=home))
    try:
        for file, array in arrays.items():
            np.save(work / f"{file}.npy", np.ascontiguousarray(array), allow_pickle=False)
        for file, document in documents.items():
            (work / f"{file}.json").write_text(json.dumps(document, indent=1, sort_keys=True))
        files = {p.name: _sha256(p) for p in sorted(work.iterdir())}
        manifest = {
            "name": name,
            "version": version,
            "created_at": datetime.now(UTC).isoformat(),
            "meta": dict(meta),
            "files": files,
        }
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        for p in work.iterdir():
            _fsync(p)
        work.chmod(0o755)
        work.rename(target)
        _fsync(home)
    finally:
        if work.exists():
            shutil.rmtree(work)
    return target


def verify(folder: Path) -> dict[str, Any]:
    """Check every file of a bundle against its manifest and return the manifest. Raises CorruptBundle."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise CorruptBundle(f"{folder / MANIFEST} is missing or unreadable ({e}); export the bundle again") from e
    for name, digest in files.items():
        path = folder / name
        if path.parent != folder or not path.is_file():
            raise CorruptBundle(f"{path} is missing; export the bundle again")
        if _sha256(path) != digest:
            raise CorruptBundle(f"{path} was changed after it was written; export the bundle again")
    return manifest


def switch(root: Path, name: str, version: str) -> dict[str, Any]:
    """Verify a bundle, then make it current by atomically replacing the pointer. Returns its manifest."""
    folder = root / name / version
    manifest = verify(folder)
    pointer = root / name / POINTER
    fd, temporary = tempfile.mkstemp(prefix=".pointer-", dir=pointer.parent)
    with os.fdopen(fd, "w") as f:
        json.dump({"version": version, "manifest_sha256": _sha256(folder / MANIFEST)}, f)
        f.flush()
        os.fsync(f.fileno())
    Path(temporary).chmod(0o644)
    Path(temporary).replace(pointer)
    _fsync(pointer.parent)
    return manifest


def current(root: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """The current bundle, verified. Raises NoBundle or CorruptBundle."""
    pointer = root / name / POINTER
    try:
        target = json.loads(pointer.read_text())
        folder, digest = root / name / str(target["version"]), target["manifest_sha256"]
    except FileNotFoundError as e:
        raise NoBundle(f"{pointer} does not exist: no model was loaded yet; run `make train`") from e
    except (ValueError, KeyError, TypeError) as e:
        raise CorruptBundle(f"{pointer} is unreadable ({e}); load a bundle again") from e
    if not (folder / MANIFEST).is_file() or _sha256(folder / MANIFEST) != digest:
        raise CorruptBundle(f"{folder / MANIFEST} is missing or was changed; load a bundle again")
    return folder, verify(folder)


def pointer_stamp(root: Path, name: str) -> tuple[int, int] | None:
    """What changes when the pointer moves: cheap to ask at every request; None when there is no pointer."""
    try:
        found = (root / name / POINTER).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def load_array(folder: Path, name: str) -> NDArray[Any]:
    """A memory-mapped array of a bundle; object arrays are refused."""
    try:
        array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as e:
        raise CorruptBundle(f"{folder / name}.npy cannot be read ({e}); export the bundle again") from e
    return array
