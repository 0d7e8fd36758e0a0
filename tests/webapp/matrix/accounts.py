"""Rows of the permission matrix for the routes of `accounts`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "me/freelancer-profile": {"title": "Somebody"},
    "me/freelancer-profile/certifications": {"name": "CKA", "issuer": "CNCF", "issued_on": "2024-01-01"},
    "me/freelancer-profile/portfolio": {"title": "A shop"},
    "me/freelancer-profile/experience": {"role": "Developer", "employer": "Acme", "started_on": "2020-01-01"},
    "me/freelancer-profile/education": {"degree": "BSc", "school": "Somewhere"},
    "staff/certifications/<int:entry_id>/check": {"verdict": "verify", "reason": "Seen at the issuer's."},
    "staff/clients/<int:user_id>/check": {"verdict": "verify", "reason": "Seen in the register."},
    "me/tokens": {"name": "Time tracker", "scopes": ["read"]},
    "staff/groups/<int:group_id>": {"actions": ["records_see"], "reason": "Smaller."},
    "staff/people/<int:user_id>": {"groups": ["support"], "reason": "New."},
    "staff/users/<int:user_id>/suspend": {"reason": "Asked to be paid outside."},
    "staff/users/<int:user_id>/restore": {"reason": "A mistake."},
    "staff/impersonations": {"user_id": 2**40, "reason": "Ticket 1."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "me"): (401, 200, 200, 200, 200),
    ("PATCH", "me"): (401, 200, 200, 200, 200),
    ("PUT", "me/client-profile"): (401, 200, 200, 200, 200),
    ("PUT", "me/freelancer-profile"): (401, 200, 200, 200, 200),
    ("PATCH", "me/freelancer-profile"): (401, 200, 403, 200, 403),
    ("GET", "me/freelancer-profile/completeness"): (401, 200, 200, 200, 200),
    ("GET", "me/freelancer-profile/certifications"): (401, 200, 200, 200, 200),
    ("POST", "me/freelancer-profile/certifications"): (401, 201, 403, 201, 403),
    ("PUT", "me/freelancer-profile/certifications/order"): (401, 400, 400, 400, 400),
    ("PATCH", "me/freelancer-profile/certifications/<int:entry_id>"): (401, 404, 403, 200, 403),
    ("DELETE", "me/freelancer-profile/certifications/<int:entry_id>"): (401, 404, 403, 204, 403),
    ("GET", "me/freelancer-profile/portfolio"): (401, 200, 200, 200, 200),
    ("POST", "me/freelancer-profile/portfolio"): (401, 201, 403, 201, 403),
    ("PUT", "me/freelancer-profile/portfolio/order"): (401, 400, 400, 400, 400),
    ("PATCH", "me/freelancer-profile/portfolio/<int:entry_id>"): (401, 404, 403, 200, 403),
    ("DELETE", "me/freelancer-profile/portfolio/<int:entry_id>"): (401, 404, 403, 204, 403),
    ("GET", "me/freelancer-profile/experience"): (401, 200, 200, 200, 200),
    ("POST", "me/freelancer-profile/experience"): (401, 201, 403, 201, 403),
    ("PUT", "me/freelancer-profile/experience/order"): (401, 400, 400, 400, 400),
    ("PATCH", "me/freelancer-profile/experience/<int:entry_id>"): (401, 404, 403, 200, 403),
    ("DELETE", "me/freelancer-profile/experience/<int:entry_id>"): (401, 404, 403, 204, 403),
    ("GET", "me/freelancer-profile/education"): (401, 200, 200, 200, 200),
    ("POST", "me/freelancer-profile/education"): (401, 201, 403, 201, 403),
    ("PUT", "me/freelancer-profile/education/order"): (401, 400, 400, 400, 400),
    ("PATCH", "me/freelancer-profile/education/<int:entry_id>"): (401, 404, 403, 200, 403),
    ("DELETE", "me/freelancer-profile/education/<int:entry_id>"): (401, 404, 403, 204, 403),
    ("GET", "freelancers/<int:user_id>"): (401, 200, 200, 200, 200),
    ("GET", "clients/<int:user_id>"): (401, 200, 200, 200, 200),
    ("GET", "staff/certifications"): (401, 403, 403, 403, {"support": 200, "moderator": 200, "admin": 200, "*": 403}),
    ("POST", "staff/certifications/<int:entry_id>/check"): (401, 403, 403, 403, {"support": 200, "moderator": 200, "admin": 200, "*": 403}),
    ("POST", "staff/clients/<int:user_id>/check"): (401, 403, 403, 403, {"support": 200, "moderator": 200, "admin": 200, "*": 403}),
    ("GET", "me/tokens"): (401, 200, 200, 200, 200),
    ("POST", "me/tokens"): (401, 201, 201, 201, 403),
    ("DELETE", "me/tokens/<int:token_id>"): (401, 404, 404, 204, 404),
    ("GET", "me/sessions"): (401, 200, 200, 200, 200),
    ("POST", "me/sessions/end"): (401, 200, 200, 200, 200),
    ("DELETE", "me/sessions/<int:session_id>"): (401, 404, 404, 204, 404),
    ("GET", "staff/groups"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("PUT", "staff/groups/<int:group_id>"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("GET", "staff/people"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("PUT", "staff/people/<int:user_id>"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("POST", "staff/users/<int:user_id>/suspend"): (401, 403, 403, 403, {"support": 200, "admin": 200, "*": 403}),
    ("POST", "staff/users/<int:user_id>/restore"): (401, 403, 403, 403, {"support": 409, "admin": 409, "*": 403}),
    ("GET", "staff/impersonations"): (401, 403, 403, 403, {"support": 200, "admin": 200, "analyst": 200, "*": 403}),
    ("POST", "staff/impersonations"): (401, 403, 403, 403, {"support": 404, "admin": 404, "*": 403}),
    ("POST", "staff/impersonations/<int:impersonation_id>/end"): (401, 403, 403, 403, {"support": 404, "admin": 404, "*": 403}),
    ("GET", "staff/impersonations/<int:impersonation_id>/requests"): (401, 403, 403, 403, {"admin": 200, "analyst": 200, "support": 404, "*": 403}),
}
# fmt: on
