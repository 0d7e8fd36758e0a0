"""A provider's stand-in on a loopback port: real HTTP, its own memory, faults on demand, and a judge for everything that passes."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from .contract import Contract

#: lost: done, but the answer never arrives. error_after: done, answered 500. error_before: not done, answered 500. refused: not even heard
Fault = Literal["lost", "error_after", "error_before", "refused", "garbage"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), "")

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(slots=True)
class _Planned:
    fault: Fault
    pattern: re.Pattern[str]
    left: int


@dataclass
class World:
    """The provider's memory and manners. Subclasses answer; `contracts` judge what passes."""

    contracts: list[Contract] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._planned: deque[_Planned] = deque()
        self._serial = 0

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and JSON of an answer; changes the memory."""
        raise NotImplementedError

    def judged(self, request: Request) -> bool:
        """Whether the provider's document covers this request."""
        return True

    def fail(self, fault: Fault, on: str = ".*", times: int = 1) -> None:
        """Let the next `times` requests whose "METHOD path" matches go wrong."""
        self._planned.append(_Planned(fault, re.compile(on), times))

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    def sent(self, pattern: str) -> list[Request]:
        """The requests whose "METHOD path" matches, oldest first."""
        return [r for r in self.requests if re.search(pattern, f"{r.method} {r.path}")]

    def handle(self, request: Request) -> tuple[int, bytes] | None:
        """What goes back over the wire; None closes the connection without a word."""
        with self.lock:
            self.requests.append(request)
            fault = self._fault(request)
            if fault == "refused":
                return None
            if fault == "error_before":
                return 500, b'{"error": {"message": "simulated", "type": "api_error"}}'
            contract = next((c for c in self.contracts if c.template(request.path)), None) if self.judged(request) else None
            if self.judged(request):
                if contract is None:
                    self.breaches.append(f"{request.method} {request.path}: in no document")
                else:
                    self.breaches += contract.request(request.method, request.path, request.query, request.headers, request.body)
            status, answer = self.answer(request)
            if contract is not None:
                self.breaches += contract.response(request.method, request.path, status, answer)
            if fault == "lost":
                return None
            if fault == "error_after":
                return 500, b'{"error": {"message": "simulated", "type": "api_error"}}'
            return status, b"<html>Bad gateway" if fault == "garbage" else json.dumps(answer).encode()

    def _fault(self, request: Request) -> Fault | None:
        for planned in self._planned:
            if planned.left and planned.pattern.search(f"{request.method} {request.path}"):
                planned.left -= 1
                return planned.fault
        return None


class Server:
    """Serves a world on a free loopback port until it is closed."""

    def __init__(self, world: World) -> None:
        outer = world

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                made = outer.handle(Request(self.command, parts.path, parts.query, dict(self.headers), body))
                if made is None:
                    self.close_connection = True
                    return
                status, raw = made
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PATCH = do_DELETE = _any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
