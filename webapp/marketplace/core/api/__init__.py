"""What every API view shares: the one error shape, idempotency, keyset pages."""

from .errors import exception_handler

__all__ = ["exception_handler"]
