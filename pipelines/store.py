"""What lies on an object store, when the settings name one: whole files by name, and one that is replaced only by who read it last.

Belongs here: S3's calls and its words for what went wrong. What is kept there, and in which order it is written, is the log's
(extract.log) and the publications' (publish.shelf), who may write it is claim's. Address and lease are settings; endpoint and credentials come from
the environment as every S3 client knows them (AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, …, or the machine's role).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files, settings
from .refusals import Refused

#: Keys that one call deletes at most.
_AT_ONCE = 1000
_SETTING = f"store.address ({settings.PREFIX}STORE__ADDRESS)"
_PAIR = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN too, with a pair that expires)"
_UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId", "TokenRefreshRequired"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "403"}
#: Somebody else wrote in between: the file is another, two writes met, or it is gone.
_OUTRUN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey"}


class StoreError(Refused):
    """The store refused or did not answer; the message names the setting that is to be looked at, and no secret."""


@dataclass(frozen=True)
class Stored:
    """A file's content, and the mark by which the store knows this version of it."""

    content: bytes
    version: str


class Store:
    """The files below one address. Every method may raise StoreError."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._bucket, _, self._prefix = self.address.removeprefix("s3://").partition("/")
        try:
            from s3fs import S3FileSystem
        except ImportError as missing:
            raise StoreError(
                f"{self.address} needs the packages of requirements/s3.txt; install them, or set {_SETTING} to file"
            ) from missing
        # what another machine wrote a moment ago must be seen
        self._s3 = S3FileSystem(anon=False, use_listings_cache=False, skip_instance_cache=True)

    def read(self, name: str) -> Stored | None:
        """The file as it is now, None when there is none."""
        with self._told("read"):
            try:
                # its reads are of the version that was opened, or fail
                with self._s3.open(self._path(name), "rb") as file:
                    return Stored(file.read(), file.details["ETag"])
            except FileNotFoundError as missing:
                if _code(missing) == "NoSuchBucket":
                    raise
                return None

    def replace(self, name: str, content: bytes, version: str | None) -> str:
        """Write the file if it still is that version (None: if there is none yet); returns the new version.

        Raises files.Busy when somebody else wrote it in between; it then stays as they wrote it.
        """
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        with self._told("write"):
            try:
                answer = self._s3.call_s3("put_object", Bucket=self._bucket, Key=self._key(name), Body=content, **condition)
                return str(answer["ETag"])
            except OSError as refused:
                if _code(refused) not in _OUTRUN:
                    raise
        # A repeated call of ours may have met the first one, whose answer was lost on the way.
        found = self.read(name)
        if found and found.content == content:
            return found.version
        raise files.Busy(f"{self.address}/{name} was written by somebody else in between; what they wrote stays")

    def put(self, path: Path, name: str) -> None:
        """Write a file of this machine there, whole or not at all."""
        with self._told("write"):
            self._s3.put_file(str(path), self._path(name))

    def get(self, wanted: Mapping[str, Path]) -> None:
        """Copy files, by name, to where they are wanted on this machine: each whole or not at all."""
        if not wanted:
            return
        with self._told("read"):
            self._s3.get([self._path(name) for name in wanted], [str(path) for path in wanted.values()])

    def sizes(self) -> dict[str, int]:
        """Every file there with its bytes."""
        with self._told("list"):
            found = self._s3.find(self._path(""), detail=True)
        start = len(self._path(""))
        return {path[start:]: int(about["size"]) for path, about in found.items()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are not there are gone already."""
        keys = [{"Key": self._key(name)} for name in names]
        for first in range(0, len(keys), _AT_ONCE):
            chosen = {"Objects": keys[first : first + _AT_ONCE], "Quiet": True}
            with self._told("delete"):
                answer = self._s3.call_s3("delete_objects", Bucket=self._bucket, Delete=chosen)
            if kept := answer.get("Errors"):
                raise StoreError(f"{self.address}: {len(kept)} files could not be deleted ({kept[0].get('Code')})")

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _path(self, name: str) -> str:
        return f"{self._bucket}/{self._key(name)}"

    @contextlib.contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """What the client raises, in words that say what to do."""
        from botocore.exceptions import BotoCoreError, ConnectionError, HTTPClientError, NoCredentialsError, PartialCredentialsError

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as failure:
            raise StoreError(f"{self.address}: no credentials; set {_PAIR}") from failure
        except (ConnectionError, HTTPClientError) as failure:
            raise StoreError(f"{self.address}: the store does not answer; look at AWS_ENDPOINT_URL_S3 and the network") from failure
        except BotoCoreError as failure:
            raise StoreError(f"{self.address}: {failure}") from failure
        except OSError as failure:
            raise StoreError(f"{self.address}: {self._why(_code(failure), act, failure)}") from failure

    def _why(self, code: str, act: str, failure: OSError) -> str:
        if code in _UNKNOWN:
            return f"the store does not accept the credentials ({code}); look at {_PAIR}"
        if code in _DENIED or isinstance(failure, PermissionError):
            return f"the credentials in AWS_ACCESS_KEY_ID may not {act} here ({code or 'denied'}); grant it, or set others"
        if code == "NoSuchBucket":
            return f"there is no bucket {self._bucket}; make it, or correct {_SETTING}"
        if failure.errno == errno.ENOSPC:
            return "no space is left on this machine"
        return f"could not {act} ({code or type(failure).__name__}: {failure})"


def _code(failure: BaseException) -> str:
    """S3's own word for a failure, "" when it has none."""
    cause: Any = failure.__cause__ if failure.__cause__ is not None else failure
    return str(getattr(cause, "response", {}).get("Error", {}).get("Code", ""))


def below(name: str) -> Store | None:
    """The part of the store named so; None when the settings leave everything on this machine."""
    address = settings.load().store.address
    if address == settings.LOCAL:
        return None
    return _opened(
        f"{address.rstrip('/')}/{name}", tuple(sorted((key, value) for key, value in os.environ.items() if key.startswith("AWS_")))
    )


@functools.lru_cache(maxsize=8)
def _opened(address: str, environment: tuple[tuple[str, str], ...]) -> Store:
    """One client a process for the same address and credentials: to make one takes longer than to use it."""
    return Store(address)
