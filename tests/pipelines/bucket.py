"""A real S3 server of its own on loopback, for tests of what lies on an object store."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECRET = "a-secret-that-nobody-prints"


@dataclass(frozen=True)
class Server:
    """The process, and how to reach it."""

    address: str

    def environment(self, bucket: str) -> dict[str, str]:
        """What a process needs to keep its log there."""
        return {
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "OPENLANCE_PLATFORM__STORE__ADDRESS": f"s3://{bucket}/market",
        }

    def make(self, bucket: str) -> None:
        """An empty bucket."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.address}/{bucket}", method="PUT")):
            pass

    def check_credentials(self, on: bool) -> None:
        """Whether keys that it does not know are refused."""
        told = {"data": b"0" if on else b"inf", "headers": {"Content-Type": "text/plain"}}
        asked = urllib.request.Request(f"{self.address}/moto-api/reset-auth", method="POST", **told)
        with urllib.request.urlopen(asked):
            pass


@contextmanager
def serving(log: Path) -> Iterator[Server]:
    """A server until the block ends. Its files are in its memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
                    time.sleep(0.05)  # nothing tells that a server of somebody else's listens
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()
