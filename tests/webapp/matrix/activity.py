"""Rows of the permission matrix for the routes of `activity`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "activity/views": {"item_type": "job", "item_id": 1},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "activity/views"): (401, 202, 202, 202, 202),
}
# fmt: on
