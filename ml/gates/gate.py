"""The gate: absolute floors *and* better than the champion on the same split, in every segment, covered and fast enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: floors and margins; each is printed with the decision
NDCG_OVER_BEST_BASELINE = 0.01
CHAMPION_MARGIN = -0.002  # may be this much worse at most (noise), never more
SEGMENT_MARGIN = -0.03
SEGMENT_MIN_LISTS = 50
COVERAGE_FLOOR = 1.0
P99_MS_CEILING = 100.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a candidate. NDCG@10 values come from one and the same held-out split."""

    ndcg: float
    baselines: Mapping[str, float]
    champion: float | None
    segments: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)  # candidate, best baseline, lists
    coverage: float = 0.0
    p99_ms: float = float("inf")
    has_signature: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Promote or not; `reasons` has one line for every check, passed or failed."""

    promote: bool
    reasons: tuple[str, ...]


def decide(evidence: Evidence) -> Decision:
    """Every check is made and told, also after one has failed. The first model meets the floors too."""
    checks: list[tuple[bool, str]] = []
    best_name, best = max(evidence.baselines.items(), key=lambda kv: kv[1])
    floor = best + NDCG_OVER_BEST_BASELINE
    checks.append(
        (
            evidence.ndcg >= floor,
            f"NDCG@10 {evidence.ndcg:.4f} against the floor {floor:.4f} (best baseline {best_name} + {NDCG_OVER_BEST_BASELINE})",
        )
    )
    if evidence.champion is None:
        checks.append((True, "no champion yet: the floors alone decide"))
    else:
        least = evidence.champion + CHAMPION_MARGIN
        checks.append(
            (evidence.ndcg >= least, f"NDCG@10 {evidence.ndcg:.4f} against the champion's {evidence.champion:.4f} on the same split")
        )
    for name, (ours, baseline, lists) in sorted(evidence.segments.items()):
        if lists < SEGMENT_MIN_LISTS:
            checks.append((True, f"segment {name}: {lists} lists are too few to judge (needs {SEGMENT_MIN_LISTS})"))
        else:
            ok = ours >= baseline + SEGMENT_MARGIN
            checks.append((ok, f"segment {name}: {ours:.4f} against {baseline:.4f} of {best_name} ({lists} lists)"))
    checks.append(
        (evidence.coverage >= COVERAGE_FLOOR, f"coverage {evidence.coverage:.1%} of open jobs stand in some freelancer's first 100")
    )
    checks.append((evidence.p99_ms <= P99_MS_CEILING, f"p99 latency {evidence.p99_ms:.1f} ms against {P99_MS_CEILING:.0f} ms"))
    checks.append((evidence.has_signature, "the model carries a signature" if evidence.has_signature else "the model carries no signature"))
    return Decision(all(ok for ok, _ in checks), tuple(f"{'pass' if ok else 'FAIL'}: {text}" for ok, text in checks))
