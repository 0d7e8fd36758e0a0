"""Rows of the permission matrix for the routes of `notifications`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "me/inbox"): (401, 200, 200, 200, 200),
    ("POST", "me/inbox/read-all"): (401, 200, 200, 200, 200),
    ("GET", "me/notification-settings"): (401, 200, 200, 200, 200),
    ("PUT", "me/notification-settings"): (401, 200, 200, 200, 200),
    ("POST", "me/inbox/<int:pk>/read"): (401, 404, 200, 404, 404),
}
# fmt: on
