"""Request latency per route, captured off the request path."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse

from . import capture

HOST = socket.gethostname()[:28]


class RequestLatencyMiddleware:
    """Times every API request under its route's pattern, so that ids do not multiply the rows."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        if match is not None and match.route.startswith("api/v1/"):
            minute = datetime.now(UTC).replace(second=0, microsecond=0).isoformat()
            spent = (time.perf_counter() - began) * 1000
            failed = response.status_code >= 500
            capture.request(
                route=match.route,
                method=request.method or "",
                failed=failed,
                milliseconds=spent,
                minute=minute,
                worker=f"{HOST}:{os.getpid()}",
            )
        return response
