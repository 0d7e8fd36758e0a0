"""Starts the house's servers, watches them, and ends exactly those. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from .console import paint
from .services import free_port, running

STOP_SECONDS = 15


class Crashed(RuntimeError):
    """A server ended by itself, or never answered; the message ends with its last words."""


@dataclass
class Server:
    """One process group with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    reported: bool = False

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def choose_port(preferred: int, taken: set[int]) -> int:
    """`preferred` when it is free on every loopback address, else a free one."""
    import socket

    if preferred not in taken:
        try:
            for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                with socket.socket(family) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((address, preferred))
            return preferred
        except OSError as e:
            if e.errno in (93, 97):  # no IPv6 on this machine
                return preferred
    return free_port()


class Supervisor:
    """Start servers, wait until they answer, watch them; `stop` ends every one of them, also after Ctrl-C."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.servers: list[Server] = []
        self.stores: tuple[Path, list[str]] | None = None
        self.lost: list[str] = []
        self.stopping = False
        logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        raise KeyboardInterrupt

    def start(self, name: str, command: list[str], *, env: dict[str, str], cwd: Path) -> Server:
        """Start one server in a process group of its own, so that Ctrl-C reaches it through us only."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        server = Server(name, process, log)
        self.servers.append(server)
        return server

    def wait_for(self, server: Server, url: str, *, seconds: int = 90, up: Callable[[str], bool] | None = None) -> None:
        """Until `url` answers below 500, or until `up` says of it that the server is up. Raises Crashed when the server ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if server.process.poll() is not None:
                server.reported = True
                raise Crashed(
                    f"{server.name} ended with code {server.process.returncode} while starting; {server.log} ends:\n{server.last_words()}"
                )
            if (up or answers)(url):
                return
            time.sleep(0.1)
        raise Crashed(f"{server.name} did not answer at {url} within {seconds} s; {server.log} ends:\n{server.last_words()}")

    def crashed(self) -> list[Server]:
        """Servers that ended since the last call, each told once on the terminal."""
        found = [s for s in self.servers if not s.reported and s.process.poll() is not None]
        for s in found:
            s.reported = True
            print(paint(f"\n{s.name} ended by itself with code {s.process.returncode}. {s.log} ends:", "31"))
            print(s.last_words(), flush=True)
        self._check_stores()
        return found

    def _check_stores(self) -> None:
        """Tell once when Redis or MariaDB ended by itself."""
        if self.stores is None:
            return
        folder, expected = self.stores
        gone = sorted(set(expected) - set(running(folder)))
        if gone:
            self.stores = (folder, [name for name in expected if name not in gone])
            self.lost += gone
            print(paint(f"\n{', '.join(gone)} ended by itself; see the logs in {folder}.", "31"), flush=True)

    def watch(self) -> int:
        """Until Ctrl-C. Returns 0, or 1 when a server crashed meanwhile (the others go on)."""
        any_crashed = False
        try:
            while not self.stopping:
                any_crashed = bool(self.crashed()) or any_crashed
                time.sleep(0.5)
        except KeyboardInterrupt:
            pass
        return int(any_crashed or bool(self.lost))

    def stop(self) -> None:
        """End every started process group: politely, then for good."""
        self.stopping = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for s in reversed(self.servers):
            _signal_group(s, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for s in self.servers:
            try:
                s.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            _signal_group(s, signal.SIGKILL)
            s.process.wait()


def _signal_group(server: Server, number: int) -> None:
    try:
        os.killpg(server.process.pid, number)
    except ProcessLookupError:
        pass


def answers(url: str) -> bool:
    """True when something answers below 500 at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # loopback only
            return bool(response.status < 500)
    except urllib.error.HTTPError as e:
        return e.code < 500
    except OSError:
        return False


def daemons_beat(webserver: str, *, since: float) -> bool:
    """True when each daemon that Dagster needs has been heard of since then. What one of before the start left in the store does not count."""
    query = urllib.parse.quote("{instance{daemonHealth{allDaemonStatuses{required lastHeartbeatTime}}}}")
    try:
        with urllib.request.urlopen(f"{webserver}graphql?query={query}", timeout=3) as response:  # loopback only
            told = json.load(response)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    needed = [status["lastHeartbeatTime"] or 0.0 for status in told if status["required"]]
    return bool(needed) and min(needed) >= since
