"""Data quality: how each source table is followed, what was set aside, what checks found, what failed, and the tests behind this publication."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards.components import figures, follow
from dashboards.components.lineage import lineage_popover
from dashboards.queries import quality
from pipelines import marts_reader
from pipelines.marts_reader import Published

STATES = {"read": "read", "drifting": "✗ drifting", "stopped": "✗ stopped", "quarantined": "! set aside"}
OLDER = "This publication was made before failures were kept. The next one shows them."
TESTED = {"passed": "passed", "now": "passes", "failing": "✗ failing"}
MEASURES = {"rows": figures.TEAL, "deletes": figures.RUST, "repaired": figures.AMBER}


class Failed(NamedTuple):
    """What failed, in tables as quality gives them."""

    tests: pd.DataFrame
    rounds: pd.DataFrame

    @classmethod
    def of(cls, marts: Published) -> Failed | None:
        """None where the publication was made before that was kept."""
        with st.spinner("Looking up what failed …"):
            return cls(quality.failed_tests(marts), quality.failed_rounds(marts)) if quality.tells_of_failures(marts) else None


def cards(marts: Published, tables: pd.DataFrame, tests: pd.DataFrame, failed: Failed | None) -> None:
    """What to look at first; each number says behind its question mark what it counts, and where it comes from, unless it counts tests."""
    every = "admin.data_quality"
    shown: dict[str, tuple[int, str, str | None]] = {
        "Tables": (len(tables), "Source tables that runs have looked at.", every),
        "Set aside": (int((tables["state"] == "quarantined").sum()), "Tables whose newest batch waits for somebody to decide.", every),
        "Stopped": (
            int((tables["state"] == "stopped").sum()),
            "Tables that break their contract, or whose log could not be mended.",
            every,
        ),
        "Drifting": (int((tables["drift"] > 0).sum()), "Tables whose log differs from the source.", every),
        "Repaired, 7 d": (int(tables["repaired_7d"].sum()), "Rows that only the comparison with the source found.", every),
        "Findings, 7 d": (int(tables["findings_7d"].sum()), "Checks that found a batch unlike those before it.", every),
        "Tests": (int(tests["tests"].sum()), "Tests of the models behind this publication.", None),
        "Not passed": (int(tests["not_passed"].sum()), "Tests that failed or never ran; a failed one stops a publication.", None),
    }
    if failed is not None:
        week = pd.Timestamp(marts.published_at.astimezone(UTC).replace(tzinfo=None)) - pd.Timedelta(days=7)
        lately, rounds = failed.tests["last_failed_at"] > week, failed.rounds[failed.rounds["last_failed_at"] > week]
        about = "Tests that found rows, and models that were not built, in the 7 days before this publication."
        shown["Failed tests, 7 d"] = (int(lately.sum()), about, "admin.data_quality_failed_tests")
        about = "Rounds that ended with an error in that time. They published nothing."
        shown["Failed rounds, 7 d"] = (int(rounds["round_count"].sum()), about, "admin.data_quality_failed_rounds")
    with st.container(key="cards-quality"):
        for title, (count, about, relation) in shown.items():
            with st.container(border=True, height="stretch", gap="small"):
                st.metric(title, f"{count:,}", help=about)
                if relation:
                    lineage_popover(marts, f"count-{title.split(',')[0].lower().replace(' ', '-')}", relations=[relation])


def heading(marts: Published, title: str, *relations: str) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(title, anchor=False, width="content")
        if relations:
            lineage_popover(marts, title.lower().replace(" ", "-"), relations=relations)


def standing(tables: pd.DataFrame) -> pd.Series:
    """What each table's state is to people: a table that is read may still drift."""
    return tables["state"].where((tables["drift"] == 0) | (tables["state"] != "read"), "drifting")


def waiting(tables: pd.DataFrame) -> None:
    """What needs a person, with the command that helps; or that nothing does."""
    states = standing(tables)
    if tables.empty:
        st.info("No run is known yet. Run `make pipeline`.")
    elif (states == "read").all():
        st.success(f"All {len(tables)} source tables are read, and equal to the source as far as the last run could tell.")
    for row, state in zip(tables.itertuples(), states, strict=True):
        if state == "read":
            continue
        # the message begins with what the heading says
        said = row.message if isinstance(row.message, str) else ""
        why = said.removeprefix(f"{row.table_name}: ").removeprefix("set aside: ")
        told = f"**{row.table_name}** is {STATES.get(state, state)[2:]}: "
        if state == "quarantined":
            st.warning(
                f"{told}{why or 'no reason is known'}\n\nLet it in: `python -m pipelines.quality release {row.table_name} --reason …`"
            )
        elif state == "drifting":
            st.error(
                f"{told}the raw log differs from the source.\n\nRead it again: `python -m pipelines.extract.run --table {row.table_name}`"
            )
        else:
            st.error(f"{told}{why or 'no reason is known'}")


def lasting(seconds: float) -> str:
    """ "40 s", "34 min", and from two hours on as every page tells them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else figures.hours(seconds / 3600)


def just_over(failed: Failed | None) -> None:
    """What failed until this publication, and what still does: it is not seen anywhere else before."""
    if failed is None:
        return
    for row in failed.tests[failed.tests["state"] == "failing"].itertuples():
        st.error(f"**{row.model_name}** fails `{row.test_name}` since {row.failed_at:%d %b, %H:%M} UTC: {row.message}")
    for row in failed.rounds[failed.rounds["now"]].itertuples():
        times = "1 round" if row.round_count == 1 else f"{row.round_count:,} rounds"
        st.warning(
            f"Before this publication {times} failed at **{row.step}**: {row.message}\n\n"
            f"No round had gone well for {lasting(row.seconds)}; until this one did, readers kept the numbers of before."
        )


def broken(marts: Published, failed: Failed | None) -> None:
    """Tests and rounds that failed; a failed round publishes nothing, so both are told by the next good one."""
    with st.container(border=True):
        heading(marts, "Tests that failed", *(() if failed is None else ("admin.data_quality_failed_tests",)))
        if failed is None:
            st.info(OLDER)
        elif failed.tests.empty:
            st.success("No test has failed.")
        else:
            listed = failed.tests.assign(state=failed.tests["state"].map(TESTED))
            st.dataframe(
                listed[["model_name", "state", "row_count", "failed_at", "passed_at", "test_name", "build_count", "message"]],
                hide_index=True,
                width="stretch",
                column_config={
                    "model_name": st.column_config.TextColumn("model", pinned=True),
                    "state": st.column_config.TextColumn("state", width="small"),
                    "row_count": st.column_config.NumberColumn("rows", format="localized", width="small"),
                    "failed_at": st.column_config.DatetimeColumn("failed from (UTC)", format="D MMM HH:mm:ss"),
                    "passed_at": st.column_config.DatetimeColumn("until (UTC)", format="D MMM HH:mm:ss"),
                    "test_name": "test",
                    "build_count": st.column_config.NumberColumn("builds", format="localized", width="small"),
                },
            )
            st.caption(
                "Until when it failed is known once it passed; “passes” is since the build of this publication, of which the next one tells."
            )
    with st.container(border=True):
        heading(marts, "Rounds that failed", *(() if failed is None else ("admin.data_quality_failed_rounds",)))
        if failed is None:
            st.info(OLDER)
        elif failed.rounds.empty:
            st.success("No round has failed.")
        else:
            listed = failed.rounds.assign(lasted=failed.rounds["seconds"].map(lasting))
            st.dataframe(
                listed[["step", "round_count", "lasted", "failed_at", "succeeded_at", "succeeded_before_at", "message"]],
                hide_index=True,
                width="stretch",
                column_config={
                    "step": st.column_config.TextColumn("step", pinned=True, width="small"),
                    "round_count": st.column_config.NumberColumn("rounds", format="localized", width="small"),
                    "lasted": st.column_config.TextColumn("lasted", width="small", help="How long no round went well"),
                    "failed_at": st.column_config.DatetimeColumn("failed from (UTC)", format="D MMM HH:mm:ss"),
                    "succeeded_at": st.column_config.DatetimeColumn("until (UTC)", format="D MMM HH:mm:ss"),
                    "succeeded_before_at": st.column_config.DatetimeColumn("last good before", format="D MMM HH:mm:ss"),
                },
            )
        st.caption(
            f"A failed round publishes nothing: the next good one brings it here. This page stands as of {marts.published_at:%d %b, %H:%M} UTC;"
            " what fails since then is in the alerts (`quality/alerts.jsonl`)."
        )


def brought(marts: Published) -> None:
    with st.container(border=True):
        heading(marts, "What the runs brought", "admin.data_quality_daily")
        bars = quality.daily(marts)
        if bars.empty:
            st.info("No run is known yet. Run `make pipeline`.")
        else:
            figure = go.Figure()
            for measure, color in MEASURES.items():
                part = bars[bars["measure"] == measure]
                days = pd.to_datetime(part["day"]).dt.strftime("%d %b")
                figure.add_bar(x=days, y=part["count"], name=measure, marker_color=color, hovertemplate="%{y:,.0f}")
            newest = bars[bars["day"] == bars["day"].max()].set_index("measure")["count"]
            alt = "Rows by day. The newest: " + ", ".join(f"{name} {count:,}" for name, count in newest.items())
            y = {**figures.powers_of_ten(bars["count"].max()), "title": "rows (log)"}
            figures.show(figures.tidy(figure, x={"type": "category", "nticks": 5, "tickangle": 0}, y=y), "brought", alt)
        st.caption("Rows and deletes that went into the raw log, and how many of them only the comparison with the source found.")


def followed(marts: Published, tables: pd.DataFrame) -> None:
    with st.container(border=True):
        heading(marts, "Source tables", "admin.data_quality")
        states = standing(tables)
        listed = tables.assign(state=states.map(STATES).fillna(states))
        st.dataframe(
            listed[["table_name", "state", "rows_7d", "deletes_7d", "repaired_7d", "findings_7d", "last_change_at", "last_read_at"]],
            hide_index=True,
            width="stretch",
            column_config={
                "table_name": st.column_config.TextColumn("source table", pinned=True),
                "state": st.column_config.TextColumn("state", width="small"),
                "rows_7d": st.column_config.NumberColumn("rows, 7 d", format="localized", width="small"),
                "deletes_7d": st.column_config.NumberColumn("deletes", format="localized", width="small"),
                "repaired_7d": st.column_config.NumberColumn("repaired", format="localized", width="small"),
                "findings_7d": st.column_config.NumberColumn("findings", format="localized", width="small"),
                "last_change_at": st.column_config.DatetimeColumn("last change (UTC)", format="D MMM HH:mm:ss"),
                "last_read_at": st.column_config.DatetimeColumn("last read (UTC)", format="D MMM HH:mm:ss"),
            },
        )


def found(marts: Published) -> None:
    with st.container(border=True):
        heading(marts, "What checks found", "admin.data_quality_findings")
        rows = quality.findings(marts)
        if rows.empty:
            st.success("No batch has looked unlike those before it.")
            return
        st.dataframe(
            rows,
            hide_index=True,
            width="stretch",
            column_config={
                "known_at": st.column_config.DatetimeColumn("when (UTC)", format="D MMM HH:mm:ss"),
                "table_name": "table",
                "column_name": "column",
                "check_name": "check",
                "row_count": st.column_config.NumberColumn("rows", format="localized", width="small"),
            },
        )


def tested(tests: pd.DataFrame) -> None:
    with st.container(border=True):
        st.subheader("Tests behind this publication", anchor=False)
        # what needs a look stands where a phone shows it
        shown = tests[["layer", "tests", "not_passed", "warned", "passed"]].rename(columns={"not_passed": "not passed"})
        st.dataframe(shown, hide_index=True, width="stretch")
        st.caption("By layer. A test that touches models of two layers counts in both.")


def page(marts: Published) -> None:
    st.title("Data quality", anchor=False)
    st.caption(f"Published {marts.published_at:%d %b %Y, %H:%M:%S} UTC · publication {marts.publish_id}")
    follow.newer(marts)
    tables, tests, failed = quality.tables(marts), quality.tests(marts), Failed.of(marts)
    cards(marts, tables, tests, failed)
    waiting(tables)
    just_over(failed)
    brought(marts)
    followed(marts, tables)
    found(marts)
    broken(marts, failed)
    tested(tests)


try:
    page(marts_reader.current())
except marts_reader.NothingPublished:
    st.title("Data quality", anchor=False)
    st.info("Nothing has been published yet. Run `make pipeline`: this page shows the numbers as soon as they are there.")
    follow.first()
