"""Rows of the permission matrix for the routes of `contracts`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/counter-offers": {"milestones": [{"title": "All of it", "amount_minor": 1000}]},
    "contracts/<int:pk>/pause": {"reason": "Holidays."},
    "milestones/<int:pk>/submit": {"note": "Here it is."},
    "milestones/<int:pk>/request-changes": {"text": "Please change the colour."},
    "contracts/<int:pk>/pause-request": {"reason": "Holidays."},
    "contracts/<int:pk>/bonus": {"amount_minor": 100},
    "milestones/<int:pk>/approve-part": {"amount_minor": 100, "rest": "wallet", "reason": "Only a part."},
    "milestones/<int:pk>/refund-request": {"reason": "Other plans."},
    "milestones/<int:pk>/extension": {"due_at": "2099-01-01T00:00:00Z", "reason": "The flu."},
    "milestones/<int:pk>/progress-request": {"text": "How far?"},
    "milestones/<int:pk>/progress": {"text": "Half of it."},
    "milestones/<int:pk>/tasks": {"title": "Draw."},
    "tasks/<int:pk>": {"column": "done"},
    "refund-requests/<int:pk>/refuse": {"answer": "I worked for it."},
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
    ("POST", "contracts/<int:pk>/pause"): (401, 404, 403, 403, {"support": 200, "admin": 200, "*": 403}),
    ("POST", "contracts/<int:pk>/resume"): (401, 404, 409, 409, {"support": 409, "admin": 409, "*": 403}),
    ("POST", "contracts/<int:pk>/pause-request"): (401, 404, 201, 201, 403),
    ("GET", "contracts/<int:pk>/bonus"): (401, 404, 200, 200, 200),
    ("POST", "contracts/<int:pk>/bonus"): (401, 404, 409, 403, 403),
    ("GET", "contracts/<int:pk>/refund-requests"): (401, 404, 200, 200, 200),
    ("GET", "contracts/<int:pk>/work-requests"): (401, 404, 200, 200, 200),
    ("POST", "milestones/<int:pk>/approve-part"): (401, 404, 409, 403, 403),
    ("POST", "milestones/<int:pk>/refund-request"): (401, 404, 409, 403, 403),
    ("POST", "milestones/<int:pk>/extension"): (401, 404, 409, 409, 403),
    ("POST", "milestones/<int:pk>/progress-request"): (401, 404, 201, 403, 403),
    ("GET", "milestones/<int:pk>/progress"): (401, 404, 200, 200, 200),
    ("POST", "milestones/<int:pk>/progress"): (401, 404, 403, 201, 403),
    ("GET", "milestones/<int:pk>/tasks"): (401, 404, 200, 200, 200),
    ("POST", "milestones/<int:pk>/tasks"): (401, 404, 201, 201, 403),
    ("PATCH", "tasks/<int:pk>"): (401, 404, 200, 200, 403),
    ("DELETE", "tasks/<int:pk>"): (401, 404, 204, 204, 403),
    ("POST", "refund-requests/<int:pk>/accept"): (401, 404, 403, 200, 403),
    ("POST", "refund-requests/<int:pk>/refuse"): (401, 404, 403, 200, 403),
    ("POST", "refund-requests/<int:pk>/withdraw"): (401, 404, 200, 403, 403),
    ("POST", "work-requests/<int:pk>/accept"): (401, 404, 403, 200, 403),
    ("POST", "work-requests/<int:pk>/decline"): (401, 404, 403, 200, 403),
    ("POST", "work-requests/<int:pk>/withdraw"): (401, 404, 200, 403, 403),
    ("GET", "me/calendar-feed"): (401, 200, 200, 200, 200),
    ("POST", "me/calendar-feed"): (401, 201, 201, 201, 201),
    ("DELETE", "me/calendar-feed"): (401, 204, 204, 204, 204),
    ("GET", "calendar/<slug:token>.ics"): (404, 404, 404, 404, 404),
    ("POST", "milestones/<int:pk>/fund"): (401, 404, 409, 403, 403),
    ("POST", "milestones/<int:pk>/start"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/submit"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/request-changes"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/approve"): (401, 404, 409, 409, 409),
    ("POST", "milestones/<int:pk>/refund"): (401, 404, 403, 409, 403),
}
# fmt: on
