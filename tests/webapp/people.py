"""Somebody at the API: a signed-in client that sends a fresh Idempotency-Key with each POST unless told which."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.test import APIClient


class Person:
    """Speaks JSON to /api/v1 as one user, or as nobody."""

    def __init__(self, user: Any = None) -> None:
        self.user = user
        self.client = APIClient(raise_request_exception=False)
        if user is not None:
            self.client.force_authenticate(user)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path if path.startswith("/") else f"/api/v1/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: Any) -> Any:
        sent = {"HTTP_IDEMPOTENCY_KEY": key or uuid.uuid4().hex, **headers}
        return self.client.post(f"/api/v1/{path}", body if body is not None else {}, format="json", **sent)

    def put(self, path: str, body: Any) -> Any:
        return self.client.put(f"/api/v1/{path}", body, format="json")

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"/api/v1/{path}", body, format="json")

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/v1/{path}")
