"""What the page of served scores reads: the newest scores, the parts of each, and the model behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from pipelines.marts_reader import Published

from . import query

#: the part of a model's score that is the same for all
BASE = "base"


@dataclass(frozen=True, slots=True)
class Part:
    """One addend of a score; `text` says in words what it stands for."""

    name: str
    value: float
    text: str


def newest(marts: Published) -> pd.DataFrame:
    """One row a score, the newest list first and by place in it: score_id, served_at, batch, position, freelancer_id, job_id, score, parts (JSON),
    model_version, publish_id (None for rules), registry_version and run_id (None for rules and for a bundle that was not there any more).
    """
    return query(
        marts,
        """
        select
            scores.score_id, scores.served_at, scores.batch, scores.position, scores.freelancer_id, scores.job_id, scores.score, scores.parts,
            scores.model_version, scores.publish_id, bundle.registry_version, bundle.run_id
        from admin.served_scores as scores
        left join _meta.bundle as bundle on bundle.model_version = scores.model_version
        order by scores.served_at desc, scores.batch, scores.position, scores.score_id
        """,
    ).replace({float("nan"): None})


def parts(text: str) -> list[Part]:
    """The addends that move a score, the strongest first; those that are nothing are left out."""
    told = [Part(str(part["name"]), float(part["value"]), str(part["text"])) for part in json.loads(text)]
    return sorted((part for part in told if part.value), key=lambda part: (-abs(part.value), part.name))


def in_short(found: list[Part], most: int = 3) -> str:
    """ "skill cover +2.10, age +0.40": the strongest addends in one line, without the one that every score begins with."""
    own = [part for part in found if part.name != BASE]
    return ", ".join(f"{readable(part.name)} {signed(part.value)}" for part in own[:most]) or "nothing"


def readable(name: str) -> str:
    """A feature's name as people read it."""
    return name.replace("_", " ")


def signed(value: float) -> str:
    """ "+0.25", "−1.50", and "0.00" for what is less than half a hundredth."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")
