"""The one family of errors that users see. The message says what to do next.

Belongs here: classes with a code and an HTTP status. Not here: turning them into responses (core.api).
"""

from __future__ import annotations


class DomainError(Exception):
    """Base of every refusal. `code` is stable and machine-readable; `fields` maps input names to messages."""

    status = 400

    def __init__(self, code: str, message: str, fields: dict[str, list[str]] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields or {}


class InvalidInput(DomainError):
    """The input itself is wrong; sending it again unchanged cannot succeed."""

    status = 400


class NotAllowed(DomainError):
    """The actor may see the object, but not do this with it."""

    status = 403


class NotFound(DomainError):
    """Absent or not visible to the actor: both look the same from outside."""

    status = 404

    def __init__(self, what: str = "object") -> None:
        super().__init__("not_found", f"There is no such {what}, or you may not see it.")


class Conflict(DomainError):
    """The object is not in a state that allows this (any more). Fetch it again and decide."""

    status = 409


class IdempotencyConflict(Conflict):
    """The same idempotency key came with another request body."""

    def __init__(self) -> None:
        super().__init__(
            "idempotency_key_reused",
            "This Idempotency-Key was used with a different request. Use a fresh key for a new request.",
        )


class Unavailable(DomainError):
    """A dependency (payment provider, lock) did not answer in time; try again with the same Idempotency-Key."""

    status = 503


class LengthRequired(DomainError):
    """A form with files came without its length: nobody knows whether it is too large before it is on the disk."""

    status = 411

    def __init__(self) -> None:
        super().__init__("length_required", "Send the header Content-Length: how many bytes the form has.")
