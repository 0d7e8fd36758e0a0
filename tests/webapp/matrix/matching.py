"""Rows of the permission matrix for the routes of `matching`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "me/recommended-jobs"): (401, 200, 403, 200, 403),
    ("GET", "me/skill-suggestions"): (401, 200, 403, 200, 403),
}
# fmt: on
