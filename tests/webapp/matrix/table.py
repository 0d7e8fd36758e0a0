"""How a row of the permission matrix is read, and the whole table put together."""

from __future__ import annotations

from importlib import import_module

APPS = (
    "core",
    "activity",
    "accounts",
    "payments",
    "jobs",
    "contracts",
    "hours",
    "messaging",
    "matching",
    "disputes",
    "trust",
    "notifications",
)
GROUPS = ("support", "moderator", "finance", "admin", "analyst")
#: everybody who knocks, in the order of the found statuses
WHO = ("anonymous", "charlie", "alice", "bob", *GROUPS)
#: statuses for anonymous, charlie (a stranger), alice (client), bob (freelancer), and staff: one status for every group, or one a group
#: with "*" for the others
Row = tuple[int, int, int, int, "int | dict[str, int]"]


def spread(row: Row) -> tuple[int, ...]:
    """The nine statuses of a row."""
    staff = row[4]
    each = [staff if isinstance(staff, int) else staff.get(group, staff["*"]) for group in GROUPS]
    return (*row[:4], *each)  # type: ignore[arg-type]


TABLE: dict[tuple[str, str], tuple[int, ...]] = {}
BODIES: dict[str, dict[str, object]] = {}
for _app in APPS:
    _rows = import_module(f"tests.webapp.matrix.{_app}")
    TABLE |= {operation: spread(row) for operation, row in _rows.ROWS.items()}
    BODIES |= _rows.BODIES
