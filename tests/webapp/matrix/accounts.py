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
}
# fmt: on
