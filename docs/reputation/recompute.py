"""Compute a published reputation again, from the answer of GET /api/v1/users/{id}/reputation alone. Standard library only.

    curl -H "X-Session-Token: …" https://…/api/v1/users/7/reputation | python3 recompute.py

Prints each number as published and as computed; exits with 0 when all are the same to the last digit, else with 1.

    v = the input's value class; a = 0.5 ^ (age in days / half life); w = v · a
    mean     = (k·m0 + Σ w·rating) / (k + Σ w)
    variance = (k·(s0² + (m0 − mean)²) + Σ w·(rating − mean)²) / (k + Σ w)
    n        = (k + Σ w)² / (k + Σ w²)
    interval = mean ± z·√(variance / n), cut to 1 … 5
"""

from __future__ import annotations

import json
import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

VERSION = "reputation-2"


def instant(text: str) -> datetime:
    """An ISO 8601 instant."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def estimate(inputs: list[dict[str, Any]], told: dict[str, Any]) -> dict[str, float]:
    """The formula over these inputs, with the constants that the answer names. Sums are correctly rounded: their order changes nothing."""
    k, m0, s0 = told["prior"]["weight"], told["prior"]["mean"], told["prior"]["deviation"]
    now = instant(told["as_of"])
    weights = []
    for i in inputs:
        age = max(0.0, (now - instant(i["opened_at"])).total_seconds() / 86_400)
        weights.append(i["value"] * 0.5 ** (age / told["half_life_days"]))
    pairs = [(w, i["rating"]) for w, i in zip(weights, inputs, strict=True)]
    total = math.fsum([k, *weights])
    mean = math.fsum([k * m0, *(w * rating for w, rating in pairs)]) / total
    spread = math.fsum([k * (s0**2 + (m0 - mean) ** 2), *(w * (rating - mean) ** 2 for w, rating in pairs)])
    effective = total**2 / math.fsum([k, *(w**2 for w in weights)])
    half = told["z"] * math.sqrt(spread / total / effective)
    return {"count": len(inputs), "mean": mean, "low": max(1.0, mean - half), "high": min(5.0, mean + half)}


def compare(told: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(what, published, computed) for each number of the answer."""
    claims: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [("reviews", told, told["inputs"])]
    client = told.get("client")
    if client is not None:
        claims += [(f"client {part['code']}", part, part["inputs"]) for part in client["parts"]]
        claims.append(("client", client, [i for part in client["parts"] for i in part["inputs"]]))
    found = []
    for what, claim, inputs in claims:
        again = estimate(inputs, told)
        found += [(f"{what} {name}", claim[name], again[name]) for name in ("count", "mean", "low", "high")]
    return found


def main() -> int:
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else sys.stdin.read())
    if told["formula_version"] != VERSION:
        sys.stderr.write(f"This script knows {VERSION}; the answer is by {told['formula_version']}.\n")
        return 1
    wrong = 0
    for what, published, computed in compare(told):
        same = published == computed
        wrong += not same
        sys.stdout.write(f"{'same ' if same else 'WRONG'}  {what:28} published {published!r:22} computed {computed!r}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
