"""Scores served: what freelancers were shown and why, which model said so, and the way from one score to the rows of the source."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards.components import figures, follow
from dashboards.components.lineage import lineage_popover
from dashboards.queries import scores
from pipelines import marts_reader
from pipelines.marts_reader import Published

SCORES = "admin.served_scores"
FEATURES = ("science.feat_freelancers", "science.feat_jobs")
#: contributions that the picture of one score shows by themselves
SHOWN = 8


def cards(marts: Published, rows: pd.DataFrame) -> None:
    """How many lists of how many models the newest scores come from."""
    by_model = rows["publish_id"].notna()
    shown = {
        "Newest scores": (len(rows), "Scores listed here: the newest that freelancers were served, 300 at most."),
        "Lists": (rows["batch"].nunique(), "Lists that these scores put in order."),
        "Models": (rows.loc[by_model, "model_version"].nunique(), "Versions of the model among them."),
        "By rules": (int((~by_model).sum()), "Scores of the rules that answer while no model is loaded."),
    }
    with st.container(key="cards-scores"):
        for title, (count, about) in shown.items():
            with st.container(border=True, height="stretch", gap="small"):
                st.metric(title, f"{count:,}", help=about)
                lineage_popover(marts, f"scores-{title.lower().replace(' ', '-')}", relations=[SCORES])


def named(row: pd.Series) -> str:
    """A score as the list of choices calls it: found by typing a number of it."""
    return f"freelancer {row['freelancer_id']} · job {row['job_id']} · place {row['position']} · {row['served_at']:%d %b %H:%M:%S}"


def one(marts: Published, rows: pd.DataFrame) -> None:
    """One score: its parts, who made it, and how to walk down to its rows."""
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("One score", anchor=False, width="content")
            lineage_popover(marts, "one-score", relations=[SCORES, *FEATURES])
        choices = {str(row["score_id"]): named(row) for _, row in rows.iterrows()}
        chosen = st.selectbox("Score", choices, format_func=lambda key: choices[key], help="Type a freelancer's or a job's number.")
        row = rows[rows["score_id"].astype(str) == chosen].iloc[0]
        st.markdown(
            f"**{row['score']:.3f}** for job **{row['job_id']}**, place {row['position']} of the list that freelancer "
            f"**{row['freelancer_id']}** was shown on {row['served_at']:%d %b %Y, %H:%M:%S} UTC."
        )
        made_of(row)
        behind(row)


def made_of(row: pd.Series) -> None:
    """The addends as bars; the weak ones together, so that the bars sum to the score."""
    found = scores.parts(row["parts"])
    rest = sum(part.value for part in found[SHOWN:])
    bars = [(scores.readable(part.name), part.value, scores.signed(part.value), part.text) for part in found[:SHOWN]]
    if len(found) > SHOWN:
        bars.append((f"{len(found) - SHOWN} others", rest, scores.signed(rest), "weaker ones together"))
    if not bars:
        st.caption("No part moves it: everything that the ranking looks at was at its zero.")
        return
    alt = f"Contributions to the score {row['score']:.3f}: " + ", ".join(f"{name} {text}" for name, _, text, _ in bars)
    figures.show(figures.contribution_bars(bars), "made-of", alt)
    st.caption(
        "What the score is the sum of, strongest first: log-odds of a bid when a model gave it. Hover over a bar to read what it stands for."
    )


def behind(row: pd.Series) -> None:
    """Model, MLflow run, publication, and the command that goes on from here."""
    model = f"`{row['model_version']}`"
    if row["publish_id"] is None:
        told = [f"Made by: rules {model}, no model and no MLflow run", "Read: skills, field of work and age of the post at that moment"]
    else:
        version = f", version {row['registry_version']} in the registry" if row["registry_version"] else ""
        run = f"`{row['run_id']}`" if row["run_id"] else "not known: the bundle was not there any more when this was published"
        told = [f"Model: {model}{version}", f"MLflow run: {run}", f"Features of publication: `{row['publish_id']}`"]
    told.append(f"List: `{row['batch']}`, row {row['score_id']} of `matching_servedscore`")
    st.markdown("\n".join(f"- {line}" for line in told))
    st.caption("Down to its features and each row of the source, with the run that brought it, on the machine that builds the marts:")
    st.code(f"python -m pipelines.trace score {row['freelancer_id']} {row['job_id']}", language="bash", wrap_lines=True)


def listed(marts: Published, rows: pd.DataFrame) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("Newest scores", anchor=False, width="content")
            lineage_popover(marts, "listed-scores", relations=[SCORES])
        table = rows.assign(
            contributions=[scores.in_short(scores.parts(text)) for text in rows["parts"]],
            run_id=rows["run_id"].fillna("—"),
            publish_id=rows["publish_id"].fillna("—"),
        )
        columns = ["job_id", "freelancer_id", "position", "score", "contributions", "served_at", "model_version", "run_id", "publish_id"]
        st.dataframe(
            table[columns],
            hide_index=True,
            width="stretch",
            column_config={
                "job_id": st.column_config.NumberColumn("job", format="%d", width="small"),
                "freelancer_id": st.column_config.NumberColumn("freelancer", format="%d", width="small"),
                "position": st.column_config.NumberColumn("place", format="%d", width="small"),
                "score": st.column_config.NumberColumn("score", format="%.3f", width="small"),
                "contributions": st.column_config.TextColumn("strongest contributions", width="large"),
                "served_at": st.column_config.DatetimeColumn("served (UTC)", format="D MMM HH:mm:ss"),
                "model_version": "model",
                "run_id": "MLflow run",
                "publish_id": "features of publication",
            },
        )


def page(marts: Published) -> None:
    st.title("Scores served", anchor=False)
    st.caption(f"Published {marts.published_at:%d %b %Y, %H:%M:%S} UTC · publication {marts.publish_id}")
    follow.newer(marts)
    rows = scores.newest(marts)
    cards(marts, rows)
    if rows.empty:
        st.info(
            "No freelancer has been served a ranked list yet. Sign in to the web app as one, look at the recommended jobs, then run `make pipeline`."
        )
        return
    one(marts, rows)
    listed(marts, rows)


try:
    page(marts_reader.current())
except marts_reader.NothingPublished:
    st.title("Scores served", anchor=False)
    st.info("Nothing has been published yet. Run `make pipeline`: this page shows the scores as soon as they are there.")
    follow.first()
