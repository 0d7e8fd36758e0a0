"""Rows of the permission matrix for the routes of `jobs`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "jobs/<int:job_id>/quote": {"amount_minor": 1000, "currency": "USD"},
    "jobs/<int:job_id>/proposals": {"cover_letter": "Again.", "amount_minor": 1000, "currency": "USD"},
    "proposals/<int:proposal_id>/decline": {"reason": "No."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "categories"): (200, 200, 200, 200, 200),
    ("GET", "skills"): (200, 200, 200, 200, 200),
    ("GET", "jobs"): (200, 200, 200, 200, 200),
    ("POST", "jobs"): (401, 400, 400, 400, 400),
    ("GET", "jobs/<int:job_id>"): (404, 404, 200, 200, 200),
    ("PATCH", "jobs/<int:job_id>"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/publish"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/close"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/renew"): (401, 404, 409, 403, 403),
    ("POST", "jobs/<int:job_id>/invitations"): (401, 404, 400, 400, 400),
    ("POST", "jobs/<int:job_id>/quote"): (401, 404, 403, 200, 403),
    ("GET", "jobs/<int:job_id>/proposals"): (401, 404, 200, 200, 200),
    ("POST", "jobs/<int:job_id>/proposals"): (401, 404, 403, 409, 403),
    ("GET", "freelancers"): (401, 200, 200, 200, 200),
    ("GET", "me/jobs"): (401, 200, 200, 200, 200),
    ("GET", "me/proposals"): (401, 200, 200, 200, 200),
    ("GET", "proposals/<int:proposal_id>"): (401, 404, 200, 200, 200),
    ("PATCH", "proposals/<int:proposal_id>"): (401, 404, 403, 409, 403),
    ("POST", "proposals/<int:proposal_id>/shortlist"): (401, 404, 409, 409, 409),
    ("POST", "proposals/<int:proposal_id>/decline"): (401, 404, 409, 409, 409),
    ("POST", "proposals/<int:proposal_id>/withdraw"): (401, 404, 409, 409, 409),
}
# fmt: on
