"""The documentation of the data: the catalogues of metrics and published tables, and dbt's site, as files that need no server and no network.

    python -m pipelines.docs            writes var/docs/{index,metrics,tables,dbt}.html and prints where

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

from . import files, paths, refusals, transform
from .marts_reader.definitions import Metric
from .marts_reader.question import compile_question
from .publish import AuditError
from .publish.lineage import Model, read_models
from .publish.metrics import described

TITLES = {"money": "Money", "market": "The market", "work": "Work", "trust": "Trust and safety", "matching": "Matching"}
UNITS = {"minor": "minor units of", "share": "a share of 1", "hours": "hours", "count": "a count", "number": "a number"}
#: who a published schema is for, in the order of the page
SCHEMAS = {
    "admin": "For staff: the pages of the dashboards",
    "metrics": "For staff: what the metrics are worked out from",
    "client": "For each client: their own rows",
    "freelancer": "For each freelancer: their own rows",
    "science": "For the models: training data",
}
#: the way of a row, with what each layer does to it
LAYERS = {
    "raw": ("Source tables", "every change, as one snapshot saw it"),
    "staging": ("Staging", "present rows, typed and named"),
    "intermediate": ("Intermediate", "rates, ledger, now"),
    "marts": ("Marts", "facts and dimensions"),
    "features": ("Features", "what was known when"),
    "published": ("Published", "audited, switched all at once"),
}
STYLE = """
:root { --ink: #1d2a2a; --soft: #56615f; --paper: #fbfaf7; --card: #fff; --line: #dcd8cc; --teal: #0f6e64; --wash: #f1efe8; --mark: #fff3d6;
  color-scheme: light dark; color: var(--ink); background: var(--paper); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9e4; --soft: #a3aeab; --paper: #141a1a; --card: #1c2424; --line: #35403f; --teal: #5cc5b5; --wash: #263130; --mark: #3a3320; } }
* { box-sizing: border-box; }
body { margin: 0; }
.page { max-width: 76rem; margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 3rem) 4rem; }
header { border-bottom: 1px solid var(--line); background: var(--card); }
header .page { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 1.5rem; padding-top: 0.9rem; padding-bottom: 0.9rem; }
header strong { font-size: 1.1rem; margin-right: auto; } header strong a { color: var(--ink); text-decoration: none; }
header nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; }
a { color: var(--teal); } a[aria-current] { color: var(--ink); text-decoration: none; font-weight: 600; }
h1 { font-size: clamp(1.6rem, 5vw, 2.2rem); line-height: 1.2; margin: 1rem 0 0.3rem; } h2 { margin: 2.2rem 0 0.6rem; } h3 { margin: 0; font-size: 1.1rem; overflow-wrap: anywhere; }
p { margin: 0.4rem 0; } .soft { color: var(--soft); }
code, pre { font: 0.86em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--wash); border-radius: 0.3rem; overflow-wrap: anywhere; }
code { padding: 0.1em 0.35em; } pre { padding: 0.8rem; white-space: pre-wrap; margin: 0.5rem 0; }
h3 code { font-weight: 400; } main > h2:first-child { margin-top: 0.3rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: 1rem; margin: 1.2rem 0; }
.card, section { border: 1px solid var(--line); border-radius: 0.6rem; padding: 1rem 1.2rem; background: var(--card); }
section { margin: 1rem 0; scroll-margin-top: 1rem; } section:target { border-color: var(--teal); box-shadow: 0 0 0 1px var(--teal); }
.card b { display: block; font-size: 1.9rem; line-height: 1.2; font-weight: 650; }
.way { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.6rem; padding: 0; list-style: none; }
.way li { border-left: 3px solid var(--teal); padding: 0.1rem 0.7rem; } .way b { font-size: 1.25rem; } .way span { display: block; color: var(--soft); font-size: 0.9rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.25rem 1rem; margin: 0.8rem 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.chips { display: flex; flex-wrap: wrap; gap: 0.35rem; margin: 0.4rem 0; } .chips span { border: 1px solid var(--line); border-radius: 1rem; padding: 0 0.65rem; font-size: 0.86rem; color: var(--soft); }
.example { background: var(--mark); border-radius: 0.4rem; padding: 0.5rem 0.8rem; }
summary { cursor: pointer; color: var(--teal); }
.split { display: grid; gap: 0 2.5rem; } .index h2 { font-size: 0.95rem; margin: 1rem 0 0.2rem; } .index ul { list-style: none; margin: 0; padding: 0; }
.index li { padding: 0.1rem 0; } .index a { text-decoration: none; } .index a:hover { text-decoration: underline; }
input { width: 100%; font: inherit; padding: 0.5rem 0.8rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); color: inherit; }
input:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--teal); outline-offset: 2px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 0.94rem; } td, th { text-align: left; vertical-align: top; padding: 0.35rem 0.8rem 0.35rem 0; border-top: 1px solid var(--line); }
[hidden] { display: none !important; }
@media (min-width: 62rem) { .split { grid-template-columns: 16rem minmax(0, 1fr); } .index { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding-bottom: 2rem; } .index details > summary { display: none; } }
@media (max-width: 30rem) { dl { grid-template-columns: minmax(0, 1fr); } dt { margin-top: 0.4rem; font-size: 0.9rem; } section, .card { padding: 0.8rem 0.9rem; } td, th { display: block; border: 0; padding: 0.1rem 0; } tr { display: block; border-top: 1px solid var(--line); padding: 0.4rem 0; } thead { display: none; } }
"""
#: every word that is typed must be somewhere in an entry; without scripts all entries are simply there
FIND = """<script>
const box = document.getElementById("find"), none = document.getElementById("none"), entries = [...document.querySelectorAll("section")];
const links = new Map([...document.querySelectorAll(".index a")].map(a => [a.hash.slice(1), a.parentElement]));
const index = document.querySelector(".index details"); if (index && matchMedia("(min-width: 62rem)").matches) index.open = true;
document.getElementById("search").hidden = false;
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const entry of entries) {
    entry.hidden = !words.every(word => entry.textContent.toLowerCase().includes(word));
    if (links.has(entry.id)) links.get(entry.id).hidden = entry.hidden;
  }
  for (const title of document.querySelectorAll("main h2")) {
    let next = title.nextElementSibling, shown = false;
    while (next && next.tagName !== "H2") { shown ||= next.tagName === "SECTION" && !next.hidden; next = next.nextElementSibling; }
    title.hidden = !shown;
  }
  none.hidden = entries.some(entry => !entry.hidden);
});
</script>"""


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
    for name, page in pages(metrics, models).items():
        (out / name).write_text(page, encoding="utf-8")
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
        raise transform.failed(done, target / "docs.log")


def pages(metrics: Sequence[Metric], models: dict[str, Model]) -> dict[str, str]:
    """File name → page: the front door, the catalogue of metrics, the published tables. They fetch nothing."""
    by_relation = {model.relation: model for model in models.values()}
    return {"index.html": _front(metrics, models), "metrics.html": catalogue(metrics, by_relation), "tables.html": tables(metrics, models)}


def catalogue(metrics: Sequence[Metric], models: dict[str, Model]) -> str:
    """One page with every metric: definition, rules, an example, how to ask, SQL, and a link to its table."""
    subjects = sorted({m.subject for m in metrics}, key=lambda s: list(TITLES).index(s) if s in TITLES else len(TITLES))
    groups = [
        (
            TITLES.get(subject, subject.capitalize()),
            [(m.name, m.label, _entry(m, models[m.relation])) for m in metrics if m.subject == subject],
        )
        for subject in subjects
    ]
    intro = f"<p class='soft'>{len(metrics)} metrics. Each has one definition, a test that works it out by hand, and a way back to the rows of the source.</p>"
    return _listing("Metrics", "metrics.html", intro, groups, "a metric")


def tables(metrics: Sequence[Metric], models: dict[str, Model]) -> str:
    """One page with every published table: what a row is, its rules and columns."""
    asked: dict[str, list[Metric]] = {}
    for metric in metrics:
        asked.setdefault(metric.relation, []).append(metric)
    published = sorted((m for m in models.values() if m.published), key=lambda m: m.relation)
    schemas = [*SCHEMAS, *sorted({m.schema for m in published} - set(SCHEMAS))]
    groups = [
        (
            SCHEMAS.get(schema, schema),
            [(m.relation, m.relation, _table(m, asked.get(m.relation, []))) for m in published if m.schema == schema],
        )
        for schema in schemas
    ]
    intro = f"<p class='soft'>{len(published)} tables, all of one moment: they are switched together, or not at all.</p>"
    return _listing("Published tables", "tables.html", intro, [group for group in groups if group[1]], "a table or a column")


def _listing(title: str, file: str, intro: str, groups: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], what: str) -> str:
    """A page of entries in groups, each (id, how the index calls it, HTML), with an index and a box to find some of them."""
    index = "".join(
        f"<h2>{_e(heading)}</h2><ul>" + "".join(f"<li><a href='#{_e(key)}'>{_e(label)}</a></li>" for key, label, _ in entries) + "</ul>"
        for heading, entries in groups
    )
    listed = "".join(f"<h2>{_e(heading)}</h2>" + "".join(entry for _, _, entry in entries) for heading, entries in groups)
    return _page(
        title,
        file,
        f"<h1>{_e(title)}</h1>{intro}<div class='split'><div class='index'>"
        f"<p id='search' hidden><input id='find' type='search' placeholder='Find {_e(what)}' aria-label='Find {_e(what)}'></p>"
        f"<details><summary>Contents</summary>{index}</details></div>"
        f"<main>{listed}<p id='none' hidden>Nothing here has all of these words.</p></main></div>{FIND}",
    )


def _entry(metric: Metric, model: Model) -> str:
    unit = UNITS[metric.unit] + (f" {metric.currency}" if metric.currency else "")
    by = ", ".join(f"<code>{_e(d.name)}</code>" for d in metric.dimensions)
    told = {
        "Counted": _e(metric.filter_rule),
        "Worked out from": f"<a href='tables.html#{_e(metric.relation)}'><code>{_e(metric.relation)}</code></a>, one row: {_e(metric.grain)}"
        f" (<a href='dbt.html#!/model/{_e(model.unique_id)}'>SQL, tests and graph</a>)",
        "Currencies": _e(metric.currency_rule),
        "Late data": _e(metric.late_data_rule),
        "Split by": by + (f"; must be split by or held at one {', '.join(metric.required)}" if metric.required else ""),
        "Rows of the source": ", ".join(f"<code>{_e(table)}</code>" for table in sorted(metric.rows)),
    }
    by_month = [d.name for d in metric.dimensions if d.name == "month"]
    asked = [*metric.required, *(name for name in by_month if name not in metric.required)]
    ask = f"marts_reader.metric({metric.name!r}" + (f", by={asked!r})" if asked else ")")
    sql = compile_question(metric, asked)[0]
    return (
        f"<section id='{_e(metric.name)}'><h3>{_e(metric.label)} <code>{_e(metric.name)}</code></h3>"
        f"<div class='chips'><span>{_e(unit)}</span><span>owner: {_e(metric.owner)}</span></div>"
        f"<p>{_e(metric.description)}</p><p class='example'><strong>Example.</strong> {_e(metric.example)}</p>{_rules(told)}"
        f"<details><summary>How to ask, and the SQL it becomes</summary><pre>{_e(ask)}</pre><pre>{_e(sql)}</pre>"
        f"<pre>python -m pipelines.trace metric {_e(metric.name)}</pre></details></section>"
    )


def _table(model: Model, metrics: Sequence[Metric]) -> str:
    meta = {key: _e(str(model.meta.get(key, ""))) for key in ("grain", "filter", "currency_rule", "late_data_rule")}
    told = {"One row": meta["grain"], "Counted": meta["filter"], "Currencies": meta["currency_rule"], "Late data": meta["late_data_rule"]}
    told["Metrics"] = ", ".join(f"<a href='metrics.html#{_e(m.name)}'>{_e(m.label)}</a>" for m in metrics)
    told["More"] = f"<a href='dbt.html#!/model/{_e(model.unique_id)}'>SQL, tests and graph</a>"
    columns = "".join(
        f"<tr><td><code>{_e(c['name'])}</code></td><td class='soft'>{_e(c['type'])}</td><td>{_e(c['description'])}</td></tr>"
        for c in model.columns
    )
    owner = f"<div class='chips'><span>owner: {_e(str(model.meta['owner']))}</span></div>" if model.meta.get("owner") else ""
    return (
        f"<section id='{_e(model.relation)}'><h3><code>{_e(model.relation)}</code></h3>{owner}<p>{_e(model.description)}</p>{_rules(told)}"
        f"<details><summary>{len(model.columns)} columns</summary><div class='scroll'><table><thead><tr><th>column</th><th>type</th><th>what it is</th></tr></thead>"
        f"<tbody>{columns}</tbody></table></div></details></section>"
    )


def _rules(told: dict[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in told.items() if text) + "</dl>"


def _front(metrics: Sequence[Metric], models: dict[str, Model]) -> str:
    layers: dict[str, int] = {}
    for model in models.values():
        layers[model.layer] = layers.get(model.layer, 0) + 1
    way = "".join(
        f"<li><b>{layers[layer]}</b> {_e(name)}<span>{_e(what)}</span></li>" for layer, (name, what) in LAYERS.items() if layer in layers
    )
    doors = (
        ("metrics.html", len(metrics), "Metrics", "What each number means, what it counts, an example, and how to ask for it."),
        (
            "tables.html",
            layers.get("published", 0),
            "Published tables",
            "What dashboards, notebooks and models read: rows, rules, columns.",
        ),
        (
            "dbt.html",
            len(models),
            "Models",
            "Everything that is built, and the source tables below it, with SQL, tests and the graph of what is made of what.",
        ),
    )
    cards = "".join(
        f"<div class='card'><b>{n}</b><h3><a href='{file}'>{title}</a></h3><p>{_e(what)}</p></div>" for file, n, title, what in doors
    )
    first = next((m.name for m in metrics if m.name == "take_rate"), metrics[0].name if metrics else "metric")
    return _page(
        "Openlance data",
        "index.html",
        "<h1>Openlance data</h1><p class='soft'>From a committed row to a number people trust: what there is, what it means, and where it comes from.</p>"
        f"<div class='cards'>{cards}</div><h2>The way of a row</h2><ol class='way'>{way}</ol>"
        "<h2>What holds everywhere</h2><dl>"
        "<dt>Time</dt><dd>UTC. A day, a week (from Monday) or a month is that of the time at which something happened.</dd>"
        "<dt>Now</dt><dd>The newest instant that the platform has heard of, taken from the data: the same raw log gives the same numbers.</dd>"
        "<dt>Money</dt><dd>Whole minor units of a currency. US cents by the rate of the day, each amount rounded once, half to even; what has no rate is counted, never taken as 1:1.</dd>"
        "<dt>Late rows</dt><dd>They count at the time they happened, and change that figure with the next publication.</dd>"
        "<dt>Shares</dt><dd>Sums divided by sums, never averages of shares. A share of nothing is empty.</dd></dl>"
        "<h2>Asking</h2><pre>from pipelines import marts_reader\n\n"
        f"marts_reader.metric({_e(repr(first))}, by=['month'])   # an Arrow table\nmarts_reader.connect()                          # SQL over all published tables</pre>"
        f"<pre>python -m pipelines.trace metric {_e(first)} month=2026-03-01   # down to the rows of the source</pre>",
    )


def _page(title: str, file: str, body: str) -> str:
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'><title>{_e(title)}</title><style>{STYLE}</style>"
    doors = {"metrics.html": "Metrics", "tables.html": "Tables", "dbt.html": "Models"}
    links = "".join(f"<a href='{name}'{' aria-current=page' if name == file else ''}>{label}</a>" for name, label in doors.items())
    bar = f"<header><div class='page'><strong><a href='index.html'>Openlance data</a></strong><nav>{links}</nav></div></header>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{bar}<div class='page'>{body}</div></body></html>\n"


def _e(text: str) -> str:
    return html.escape(text, quote=True)


def main() -> int:
    """The command; returns its exit code: 0 done, 1 the marts are not such that they can be told of, 2 it could not be done."""
    return refusals.command(_build)


def _build() -> int:
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
