"""Train, evaluate and gate the matcher on the published marts.

    python -m ml.matching.train [--seed 7] [--dry-run]

Prints the metric, the baselines (popularity, skill overlap), the simulator's oracle bound and the gate's decision with reasons;
writes $OPENLANCE_VAR/reports/matching.json. Exit 0 also when the gate refuses: a refusal is a result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ml.datasets.published import Sides, bundles_root, current_sides, training_frames
from ml.datasets.truth import oracle_scores
from ml.features.sides import Vocabulary
from ml.features.text import TextSpace
from ml.gates.gate import Decision, Evidence, decide
from ml.serving.additive import AdditiveModel
from ml.serving.pairs import FEATURES

from . import registry
from .dataset import Part, digest, features_of, part, time_split
from .evaluate import Quality, gains, quality, segment_quality
from .export import assemble, latency_ms, write_bundle
from .ranker import Settings, combine, fit, fit_bid, fit_hire

C_BID, C_HIRE, HIRE_WEIGHT = (0.01, 0.1, 1.0), (0.03, 0.3), (0.0, 0.25, 0.5)
console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Trained:
    """A candidate with what its training saw."""

    model: AdditiveModel
    space: TextSpace
    settings: Settings
    test: Part
    rows: int


def score_quality(score: NDArray[np.float64], on: Part) -> Quality:
    return quality(score, gains(on.label, on.propensity), on.group)


def train(pairs: pl.DataFrame, freelancers: pl.DataFrame, jobs: pl.DataFrame, *, seed: int) -> Trained:
    """Fit on the first span of time, choose hyper-parameters on the second, refit on both; the third is only kept aside."""
    pairs = pairs.sort("shown_at", "batch", "position")
    split = time_split(pairs)
    before = pairs.filter(pl.col("shown_at") < split.test)
    seen_jobs = jobs.join(before.select("job_id").unique(), on="job_id", how="semi").sort("job_id")
    seen_people = freelancers.join(before.select("freelancer_id").unique(), on="freelancer_id", how="semi").sort("freelancer_id")
    space = TextSpace.fit(seen_jobs["text"].to_list() + seen_people["text"].to_list(), seed=seed)
    x = features_of(pairs, freelancers, jobs, Vocabulary.of(seen_people, seen_jobs), space)
    shown = pairs["shown_at"]
    fitting = part(pairs, x, (shown < split.valid).to_numpy(), split.valid)
    choosing = part(pairs, x, ((shown >= split.valid) & (shown < split.test)).to_numpy(), split.test)
    both = part(pairs, x, (shown < split.test).to_numpy(), split.test)
    test = part(pairs, x, (shown >= split.test).to_numpy(), None)

    bids = {c: fit_bid(fitting.x, fitting.label, fitting.propensity, c=c) for c in C_BID}
    hires = {c: fit_hire(fitting.x, fitting.label, c=c) for c in C_HIRE}

    def chosen(settings: Settings) -> float:
        model = combine(bids[settings.c_bid], hires[settings.c_hire], settings.hire_weight)
        return score_quality(model.score(choosing.x), choosing).ndcg10

    best = max((Settings(b, h, w) for b in C_BID for h in C_HIRE for w in HIRE_WEIGHT), key=chosen)
    return Trained(fit(both.x, both.label, both.propensity, best), space, best, test, len(both.pairs))


def baselines(on: Part) -> dict[str, NDArray[np.float64]]:
    """What a market without a model would do: most applied-to first, or most shared skills first."""
    return {"popularity": on.column("competition"), "skill overlap": on.column("skill_cover")}


def segments_of(on: Part, freelancers: pl.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Newcomers, the largest countries, price bands: names per row."""
    done = on.pairs["contracts_done"].to_numpy()
    country = on.pairs.join(freelancers.select("freelancer_id", "country"), on="freelancer_id", how="left", maintain_order="left")[
        "country"
    ]
    largest = set(country.value_counts(sort=True)["country"].head(4).to_list())
    size = on.column("fixed_size")
    band = np.where(on.column("price_unknown") > 0, "unknown", np.where(size == 0, "hourly", np.where(size < 0, "small", "large")))
    return {
        "freelancer": np.where(done == 0, "newcomer", "experienced"),
        "country": np.array([c if c in largest else "other" for c in country.to_list()]),
        "price": band,
    }


def compare_segments(
    model: AdditiveModel, best: NDArray[np.float64], on: Part, freelancers: pl.DataFrame
) -> dict[str, tuple[float, float, int]]:
    gain, found = gains(on.label, on.propensity), {}
    for kind, names in segments_of(on, freelancers).items():
        ours = segment_quality(model.score(on.x), gain, on.group, names)
        theirs = segment_quality(best, gain, on.group, names)
        found.update({f"{kind}={name}": (q.ndcg10, theirs[name].ndcg10, q.lists) for name, q in ours.items()})
    return found


def champion_score(pairs: Part, freelancers: pl.DataFrame, jobs: pl.DataFrame) -> float | None:
    """NDCG@10 of the present champion on the same split, with its own text space; None when there is none."""
    found = registry.champion()
    if found is None:
        return None
    if found.model.features != tuple(FEATURES):
        console.print(f"[yellow]champion v{found.version} was made for other features and cannot be compared[/]")
        return None
    x = features_of(pairs.pairs, freelancers, jobs, Vocabulary.of(freelancers, jobs), found.space)
    return score_quality(found.model.score(x), pairs).ndcg10


def show(title: str, rows: dict[str, Quality], decision: Decision) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("order", "NDCG@10", "95 % interval", "MRR", "lists"):
        table.add_column(column, justify="left" if column == "order" else "right")
    for name, q in rows.items():
        table.add_row(name, f"{q.ndcg10:.4f}", f"{q.low:.4f}–{q.high:.4f}", f"{q.mrr:.4f}", str(q.lists))
    console.print(table)
    console.print(f"Gate: {'[green]promoted to champion' if decision.promote else '[red]refused; the champion stays'}[/]")
    for reason in decision.reasons:
        console.print(f"  {reason}", highlight=False)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train, evaluate and gate the matcher.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dry-run", action="store_true", help="evaluate only: nothing is registered or exported")
    options = parser.parse_args(argv)
    begin = time.perf_counter()
    with console.status("reading published marts"):
        frames, sides = training_frames(), current_sides()
    console.print(
        f"{len(frames.pairs):,} impressions of {frames.publish_id}, {len(sides.jobs):,} open jobs, {len(sides.freelancers):,} freelancers"
    )
    with console.status("training"):
        trained = train(frames.pairs, frames.freelancers, frames.jobs, seed=options.seed)
    test = trained.test
    orders = {"matcher": trained.model.score(test.x), **baselines(test), "as shown": -test.pairs["position"].to_numpy().astype(np.float64)}
    oracle = oracle_scores(test.pairs)
    if oracle is not None:
        orders["simulator's oracle (bound)"] = oracle
    results = {name: score_quality(score, test) for name, score in orders.items()}
    best = max(("popularity", "skill overlap"), key=lambda n: results[n].ndcg10)
    with console.status("checking coverage and latency"):
        recommender, exposure = assemble(
            version="candidate",
            publish_id=sides.publish_id,
            model=trained.model,
            space=trained.space,
            freelancers=sides.freelancers,
            jobs=sides.jobs,
            day=sides.day,
        )
        median, p99 = latency_ms(recommender, seed=options.seed)
    decision = decide(
        Evidence(
            ndcg=results["matcher"].ndcg10,
            baselines={n: results[n].ndcg10 for n in ("popularity", "skill overlap")},
            champion=champion_score(test, frames.freelancers, frames.jobs),
            segments=compare_segments(trained.model, orders[best], test, frames.freelancers),
            coverage=exposure.coverage,
            p99_ms=p99,
            has_signature=True,
        )
    )
    show(f"Matching, test span from {test.pairs['shown_at'].min()!s:.10}, seed {options.seed}", results, decision)
    report = {
        "command": f"python -m ml.matching.train --seed {options.seed}",
        "publish_id": frames.publish_id,
        "dataset": digest(frames.pairs),
        "settings": asdict(trained.settings),
        "quality": {n: asdict(q) for n, q in results.items()},
        "gate": {"promote": decision.promote, "reasons": decision.reasons},
        "coverage": exposure.coverage,
        "reserved": exposure.reserved,
        "latency_ms": {"median": median, "p99": p99},
    }
    if not options.dry_run:
        _register(trained, report, decision, recommender_inputs=(sides, exposure.coverage))
    home = registry.var() / "reports"
    home.mkdir(parents=True, exist_ok=True)
    (home / "matching.json").write_text(json.dumps(report, indent=1))
    console.print(
        f"recommend(): median {median:.1f} ms, p99 {p99:.1f} ms; coverage {exposure.coverage:.1%}; {time.perf_counter() - begin:.1f} s in all"
    )
    return 0


def _forget_old() -> None:
    """Old runs go; where the tracking store is a server's, its keepers have to remove them."""
    try:
        gone = registry.forget()
    except MlflowException as refused:
        console.print(f"old runs are not removed from the disk: {refused}; run `mlflow gc` where the tracking server runs")
        return
    if gone:
        console.print(f"{len(gone)} old runs forgotten, with their versions, models and artifacts")


def _register(trained: Trained, report: dict[str, Any], decision: Decision, *, recommender_inputs: tuple[Sides, float]) -> None:
    """Log the run, move the alias, and when promoted write the bundle."""
    sides, coverage = recommender_inputs
    metrics = {
        f"ndcg10_{n.replace(' ', '_').replace(chr(39), '').replace('(', '').replace(')', '')}": q["ndcg10"]
        for n, q in report["quality"].items()
    }
    version, run_id = registry.register(
        model=trained.model,
        space=trained.space,
        params={**report["settings"], "rows": trained.rows, "features": len(FEATURES)},
        metrics={**metrics, "coverage": coverage, "p99_ms": report["latency_ms"]["p99"]},
        tags={"dataset_digest": report["dataset"], "publish_id": report["publish_id"], "feature_set": "pairs-1"},
        report=report,
    )
    registry.log_decision(run_id, version, decision)
    report["registry_version"], report["run_id"] = version, run_id
    console.print(f"registered as version {version} (run {run_id})")
    _forget_old()
    if not decision.promote:
        return
    name = registry.served_version(version, sides.publish_id)
    recommender, _ = assemble(
        version=name,
        publish_id=sides.publish_id,
        model=trained.model,
        space=trained.space,
        freelancers=sides.freelancers,
        jobs=sides.jobs,
        day=sides.day,
    )
    write_bundle(bundles_root(), recommender, meta={"registry_version": version, "run_id": run_id})
    report["bundle"] = name
    console.print(f"bundle {name} written; `manage.py load_bundle matching {name}` makes it current")


if __name__ == "__main__":
    sys.exit(main())
