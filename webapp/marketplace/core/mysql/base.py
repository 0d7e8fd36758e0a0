"""Django's MySQL backend, with transactions begun by one statement, and ended for good by a deadlock.

Django switches autocommit off before a transaction and on again after it: two messages to the server where one does. And a statement that
ended in a deadlock has rolled the whole transaction back on the server: whoever caught the error and went on would write outside of it.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.mysql import base
from MySQLdb import OperationalError

from .client import DatabaseClient

#: deadlock; and, where the server checks snapshots, a row that changed since it was read
_ROLLED_BACK = frozenset({1213, 1020})


class CursorWrapper(base.CursorWrapper):
    """A cursor that knows its connection: after an error that ended the transaction, Django refuses every statement until it is rolled back."""

    __slots__ = ("_wrapper",)

    def __init__(self, cursor: Any, wrapper: DatabaseWrapper) -> None:
        super().__init__(cursor)
        self._wrapper = wrapper

    def execute(self, query: Any, args: Any = None) -> Any:
        try:
            return super().execute(query, args)
        except OperationalError as error:
            self._ended(error)
            raise

    def executemany(self, query: Any, args: Any) -> Any:
        try:
            return super().executemany(query, args)
        except OperationalError as error:
            self._ended(error)
            raise

    def _ended(self, error: Exception) -> None:
        if self._wrapper.in_atomic_block and error.args and error.args[0] in _ROLLED_BACK:
            self._wrapper.needs_rollback = True


class DatabaseWrapper(base.DatabaseWrapper):
    """See the module."""

    client_class = DatabaseClient

    def create_cursor(self, name: str | None = None) -> CursorWrapper:
        return CursorWrapper(self.connection.cursor(), self)

    def _start_transaction_under_autocommit(self) -> None:
        """Called by Django in place of switching autocommit off; COMMIT and ROLLBACK end it."""
        with self.wrap_database_errors:
            self.connection.query("START TRANSACTION")
