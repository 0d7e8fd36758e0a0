"""Rows of the permission matrix for the routes of `contracts`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/counter-offers": {"milestones": [{"title": "All of it", "amount_minor": 1000}]},
    "contracts/<int:pk>/pause": {"reason": "Holidays."},
    "milestones/<int:pk>/submit": {"note": "Here it is."},
    "milestones/<int:pk>/request-changes": {"text": "Please change the colour."},
    "milestones/<int:pk>/fund": {"provider": "sandbox", "method": {"token": "tok_visa"}},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "proposals/<int:pk>/offer"): (401, 404, 409, 403, 403),
    ("GET", "me/contracts"): (401, 200, 200, 200, 200),
    ("GET", "contracts/<int:pk>"): (401, 404, 200, 200, 200),
    ("GET", "contracts/<int:pk>/timeline"): (401, 404, 200, 200, 200),
    ("POST", "contracts/<int:pk>/accept"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/decline"): (401, 404, 409, 409, 409),
    ("GET", "contracts/<int:pk>/counter-offers"): (401, 404, 200, 200, 200),
    ("POST", "contracts/<int:pk>/counter-offers"): (401, 404, 403, 409, 403),
    ("POST", "counter-offers/<int:pk>/accept"): (401, 404, 409, 403, 403),
    ("POST", "counter-offers/<int:pk>/decline"): (401, 404, 409, 409, 409),
    ("POST", "counter-offers/<int:pk>/withdraw"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/cancel"): (401, 404, 409, 409, 409),
    ("POST", "contracts/<int:pk>/pause"): (401, 404, 403, 403, 200),
    ("POST", "contracts/<int:pk>/resume"): (401, 404, 403, 403, 409),
    ("POST", "milestones/<int:pk>/fund"): (401, 404, 409, 403, 403),
    ("POST", "milestones/<int:pk>/start"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/submit"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/request-changes"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/approve"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/refund"): (401, 404, 403, 409, 403),
}
# fmt: on
