"""What the API document shows of accounts and profiles, by operation."""

from __future__ import annotations

from typing import Any

_ORDER = {"ids": [12, 9, 10]}

REQUESTS: dict[str, Any] = {
    "me_update": {
        "display_name": "Alice Meyer",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "language": "en",
        "display_currency": "EUR",
    },
    "me_client_profile": {
        "company_name": "Meyer Toys",
        "about": "A family's toy shop with four stores in Berlin and one on the web.",
        "website": "https://meyer-toys.example",
    },
    "certification_order": _ORDER,
    "education_order": _ORDER,
    "experience_order": _ORDER,
    "portfolio_piece_order": _ORDER,
}
