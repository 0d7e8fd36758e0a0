"""The documentation of the data: dbt's site, and the catalogue of metrics, as files that need no server and no network.

    python -m pipelines.docs            writes var/docs/{index,metrics,dbt}.html and prints where

`dbt.html` has every model with its SQL, columns, tests and the graph (columns as they are built, once there is a work file). Exit code 1 when dbt
cannot compile the project or a metric's definition is wrong.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import files, paths, transform
from .marts_reader.definitions import Metric
from .marts_reader.question import compile_question
from .publish import AuditError
from .publish.lineage import Model, read_models
from .publish.metrics import described

TITLES = {"money": "Money", "market": "The market", "work": "Work", "trust": "Trust and safety", "matching": "Matching"}
UNITS = {"minor": "minor units of", "share": "a share of 1", "hours": "hours", "count": "a count", "number": "a number"}
STYLE = """
:root { color: #1d2a2a; background: #fbfaf7; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 58rem; margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem); }
a { color: #0f6e64; } h2 { margin-top: 2.5rem; } h3 { margin: 0; overflow-wrap: anywhere; }
code, pre { font: 0.86em/1.5 ui-monospace, monospace; background: #f1efe8; border-radius: 0.3rem; overflow-wrap: anywhere; }
code { padding: 0.1em 0.3em; } pre { padding: 0.8rem; white-space: pre-wrap; }
section { border: 1px solid #d9d5c9; border-radius: 0.5rem; padding: 1rem 1.2rem; margin: 1rem 0; background: #fff; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; } dt { color: #5d6765; } dd { margin: 0; }
nav li { display: inline-block; margin-right: 1rem; } nav ul { padding: 0; } summary { cursor: pointer; color: #0f6e64; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dt { margin-top: 0.4rem; } }
"""


def build(out: Path | None = None) -> Path:
    """Write the site and return its first page. Raises transform.BuildFailed or AuditError."""
    out = out or paths.var() / "docs"
    target = paths.var() / "work" / "dbt-docs"
    target.mkdir(parents=True, exist_ok=True)
    _dbt_site(target)
    models = read_models(target)
    metrics = described(paths.dbt_project() / "metrics", {model.relation: model for model in models.values() if model.published})
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(target / "static_index.html", out / "dbt.html")
    (out / "metrics.html").write_text(catalogue(metrics, {model.relation: model for model in models.values()}), encoding="utf-8")
    (out / "index.html").write_text(_front(metrics, models), encoding="utf-8")
    return out / "index.html"


def _dbt_site(target: Path) -> None:
    """`dbt docs generate`, in a folder apart from that of builds; without a work file the site has no types of built columns."""
    environment = transform.environment()
    arguments = ["docs", "generate", "--static"]
    if not paths.warehouse().is_file():
        environment["OPENLANCE_WAREHOUSE"] = str(target / "empty.duckdb")
        arguments.append("--empty-catalog")
    (target / "static_index.html").unlink(missing_ok=True)
    done = subprocess.run(
        transform.command(*arguments, target=target), env=environment, cwd=paths.REPO, capture_output=True, text=True, check=False
    )
    if done.returncode or not (target / "static_index.html").is_file():
        raise transform.BuildFailed(done.returncode, target / "dbt.log", (done.stdout + done.stderr).splitlines()[-12:])


def catalogue(metrics: Sequence[Metric], models: dict[str, Model]) -> str:
    """One page with every metric: definition, rules, how to ask, SQL, and a link to its model."""
    parts = [f"<h1>Metrics</h1><p>{len(metrics)} metrics, each with one definition. <a href='index.html'>All documentation</a></p>"]
    subjects = sorted({m.subject for m in metrics}, key=lambda s: list(TITLES).index(s) if s in TITLES else len(TITLES))
    links = "".join(f"<li><a href='#{_e(m.name)}'>{_e(m.label)}</a></li>" for s in subjects for m in metrics if m.subject == s)
    parts.append(f"<nav><ul>{links}</ul></nav>")
    for subject in subjects:
        parts.append(f"<h2>{_e(TITLES.get(subject, subject.capitalize()))}</h2>")
        parts += [_entry(metric, models[metric.relation]) for metric in metrics if metric.subject == subject]
    return _page("Metrics", "".join(parts))


def _entry(metric: Metric, model: Model) -> str:
    unit = UNITS[metric.unit] + (f" {metric.currency}" if metric.currency else "")
    by = ", ".join(f"<code>{_e(d.name)}</code>" for d in metric.dimensions)
    told = {
        "Unit": _e(unit),
        "Worked out from": f"<a href='dbt.html#!/model/{_e(model.unique_id)}'><code>{_e(metric.relation)}</code></a>, one row: {_e(metric.grain)}",
        "Counted": _e(metric.filter_rule),
        "Currencies": _e(metric.currency_rule),
        "Late data": _e(metric.late_data_rule),
        "Split by": by + (f"; must be split by or held at one {', '.join(metric.required)}" if metric.required else ""),
        "Rows of": ", ".join(f"<code>{_e(table)}</code>" for table in sorted(metric.rows)),
        "Owner": _e(metric.owner),
        "Example": _e(metric.example),
    }
    rules = "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in told.items())
    by_month = [d.name for d in metric.dimensions if d.name == "month"]
    asked = [*metric.required, *(name for name in by_month if name not in metric.required)]
    ask = f"marts_reader.metric({metric.name!r}" + (f", by={asked!r})" if asked else ")")
    sql = compile_question(metric, asked)[0]
    return (
        f"<section id='{_e(metric.name)}'><h3>{_e(metric.label)} <code>{_e(metric.name)}</code></h3><p>{_e(metric.description)}</p><dl>{rules}</dl>"
        f"<details><summary>How to ask, and the SQL it becomes</summary><pre>{_e(ask)}</pre><pre>{_e(sql)}</pre></details></section>"
    )


def _front(metrics: Sequence[Metric], models: dict[str, Model]) -> str:
    layers: dict[str, int] = {}
    for model in models.values():
        layers[model.layer] = layers.get(model.layer, 0) + 1
    counts = ", ".join(f"{count} {layer}" for layer, count in sorted(layers.items()))
    return _page(
        "Openlance data",
        "<h1>Openlance data</h1>"
        f"<section><h3><a href='metrics.html'>Metrics</a></h3><p>What each of the {len(metrics)} numbers means, and how to ask for it.</p></section>"
        f"<section><h3><a href='dbt.html'>Models</a></h3><p>Every model with its SQL, columns, tests and the graph of what is made of what: {_e(counts)}.</p></section>",
    )


def _page(title: str, body: str) -> str:
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'><title>{_e(title)}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def _e(text: str) -> str:
    return html.escape(text, quote=True)


def main() -> int:
    """The command; returns its exit code."""
    try:
        with files.lock(paths.var() / "work" / ".docs.lock"):
            front = build()
    except (AuditError, files.Busy, transform.BuildFailed) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    sys.stdout.write(f"the documentation of the data is in {front}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
