"""The admin overview in a real browser: its numbers are the marts', its sources can be read, it fits a phone, and it is right when empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Locator, Page, expect

from pipelines import marts_reader
from pipelines.marts_reader import Published
from tests.dashboards.by_hand import emptied, publication
from tests.dashboards.stage import DRAWN, NUMBERS, PATIENCE_MS, Stage, Visitor, instead, watch_for

pytestmark = pytest.mark.browser
#: title on the page → metric of admin.kpi_overview
CARDS = {
    "Funded": "gsv_funded_30d",
    "Released": "gsv_released_30d",
    "Net": "gsv_net_30d",
    "Active bidders": "active_freelancers_30d",
    "GSV funded": "gsv_funded",
    "GSV released": "gsv_released",
    "GSV net": "gsv_net",
    "Take rate": "take_rate",
    "Open jobs": "open_jobs",
    "Filled in 14 d": "fill_rate_14d",
    "Wait for a bid": "median_hours_to_first_bid",
    "Wait for a hire": "median_hours_to_hire",
    "Funds held": "funds_held",
    "Empty searches": "search_zero_share",
    "Postings without rate": "unconverted_postings",
    "Holds without rate": "unconverted_holds",
}
CHARTS = ("volume", "take-rate", "fill-rate", "waiting", "funnel")


def rows(marts: Published, sql: str) -> list[tuple[Any, ...]]:
    with marts_reader.open_read_only(marts.path) as connection:
        return connection.execute(sql).fetchall()


def as_read(value: float | None, unit: str) -> str:
    """A metric in US dollars as the page must write it, worked out apart from the page's own code."""
    if value is None:
        return "—"
    if unit == "minor":
        return f"${(Decimal(str(value)) / 100).quantize(Decimal(1), ROUND_HALF_EVEN):,}"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "hours":
        return f"{value:.1f} h" if value < 48 else f"{value / 24:.1f} days"
    return f"{int(value):,}"


@pytest.fixture
def desk(open_pages: Callable[[int], Page]) -> Iterator[Page]:
    yield from reading(open_pages(1280))


@pytest.fixture
def phone(open_pages: Callable[[int], Page]) -> Iterator[Page]:
    yield from reading(open_pages(360))


def reading(page: Page) -> Iterator[Page]:
    settled(page)
    yield page
    page.keyboard.press("Escape")  # a popover that was opened
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def settled(page: Page, charts: int = len(CHARTS)) -> None:
    watch_for(page, {NUMBERS: len(CARDS), DRAWN: charts})
    expect(page.get_by_test_id("stMetricValue")).to_have_count(len(CARDS), timeout=PATIENCE_MS)
    if charts:
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".js-plotly-plot")).to_have_count(charts, timeout=PATIENCE_MS)


def drawn(page: Page, chart: str) -> list[dict[str, Any]]:
    """name, x, y and text of each trace that Plotly drew."""
    plot = page.locator(f".st-key-{chart} .js-plotly-plot")
    expect(plot).to_have_count(1, timeout=PATIENCE_MS)
    found: list[dict[str, Any]] = plot.evaluate(
        """plot => plot._fullData.map(t => ({name: t.name, x: Array.from(t.x || []), y: Array.from(t.y || []), text: t.text}))"""
    )
    return found


def empty_market(marts: Published, file: Path) -> Path:
    """Marts of a market in which nothing has happened: the sample's tables without rows, metrics at nothing."""
    emptied(marts, file, kept=("admin.kpi_overview",))
    with duckdb.connect(str(file)) as db:
        db.execute("update admin.kpi_overview set value = case when unit in ('minor', 'count') then 0 end")
    return file


def test_every_metric_of_the_marts_is_on_the_page_with_its_exact_value(desk: Page, marts: Published) -> None:
    shown = dict(
        zip(
            desk.get_by_test_id("stMetricLabel").all_inner_texts(),
            desk.get_by_test_id("stMetricValue").all_inner_texts(),
            strict=True,
        )
    )
    wanted = {metric: as_read(value, unit) for metric, value, unit in rows(marts, "select metric, value, unit from admin.kpi_overview")}
    assert set(wanted) == set(CARDS.values())
    assert {label.strip(): value for label, value in shown.items()} == {title: wanted[metric] for title, metric in CARDS.items()}
    assert marts.publish_id in desk.locator("[data-testid=stCaptionContainer]").first.inner_text()


def test_the_charts_draw_what_the_marts_hold(desk: Page, marts: Published) -> None:
    funnel = drawn(desk, "funnel")[0]
    counts = rows(marts, 'select stage, "count" from admin.funnel order by position')
    assert funnel["y"] == [stage for stage, _ in counts]
    assert [text.split(" ")[0] for text in funnel["text"]] == [f"{count:,}" for _, count in counts]
    since = "date_trunc('month', (select max(as_of) from admin.kpi_overview)) - interval 12 month"
    for trace in drawn(desk, "volume"):
        cents = rows(marts, f"select sum({trace['name']}_usd_minor) from admin.gsv_daily where day >= {since}")[0][0]
        assert sum(Decimal(str(y)) for y in trace["y"]).quantize(Decimal("0.01")) == Decimal(int(cents)).scaleb(-2), trace["name"]
    take = drawn(desk, "take-rate")[0]
    month, fee, released = rows(
        marts,
        "select month, sum(net_fee_usd_minor), sum(released_usd_minor) from admin.take_rate_monthly group by 1 having sum(released_usd_minor) > 0 order by 1 desc",
    )[0]
    assert take["x"][-1].startswith(f"{month:%Y-%m-%d}")
    assert take["y"][-1] == pytest.approx(int(fee) / int(released), rel=1e-12)
    assert [trace["name"] for trace in drawn(desk, "waiting")] == ["first bid", "hire"]
    assert [trace["name"] for trace in drawn(desk, "fill-rate")] == ["7 days", "14 days", "30 days"]


def test_volume_can_be_read_by_week(desk: Page, marts: Published) -> None:
    desk.get_by_role("radio", name="week").click()
    expect(desk.get_by_text("the newest week is not over yet")).to_be_visible(timeout=PATIENCE_MS)
    desk.wait_for_function(
        "() => new Date(document.querySelector('.st-key-volume .js-plotly-plot')._fullData[0].x.at(-1)).getUTCDay() === 1",
        timeout=PATIENCE_MS,
    )
    weeks = rows(
        marts,
        "select count(distinct date_trunc('week', day)) from admin.gsv_daily "
        "where day >= date_trunc('week', (select max(as_of) from admin.kpi_overview)) - interval 12 week",
    )[0][0]
    assert len(drawn(desk, "volume")[0]["x"]) == weeks
    desk.get_by_role("radio", name="month").click()
    expect(desk.get_by_text("the newest month is not over yet")).to_be_visible(timeout=PATIENCE_MS)


def open_lineage(page: Page, of: str) -> Locator:
    page.locator(f".st-key-lineage-{of}").get_by_role("button", name="Where from?").click()
    opened = page.get_by_test_id("stPopoverBody")
    expect(opened.get_by_role("tab", name="Source runs")).to_be_visible(timeout=PATIENCE_MS)
    return opened


def test_every_card_and_every_chart_opens_its_lineage(desk: Page) -> None:
    for key in [*CARDS.values(), "volume", "take-rate-by-month", "fill-rate-by-month", "time-to-bid-and-hire", "funnel", "freshness"]:
        expect(desk.locator(f".st-key-lineage-{key}").get_by_role("button", name="Where from?")).to_have_count(1)


def test_a_chart_leads_to_its_definition_sql_tests_and_source_run(desk: Page, marts: Published) -> None:
    opened = open_lineage(desk, "funnel")
    description, sql, tests = rows(marts, "select description, sql, tests from _meta.model where relation = 'admin.funnel'")[0]
    expect(opened.get_by_text(description)).to_be_visible(timeout=PATIENCE_MS)
    code = opened.get_by_test_id("stCode").locator("code").first
    expect(code).to_be_visible()
    assert code.inner_text().split() == sql.split()
    opened.get_by_role("tab", name="Tests").click()
    for test in json.loads(tests):
        expect(opened.get_by_role("cell", name=test["name"])).to_be_visible()
        assert test["status"] == "pass"
    opened.get_by_role("tab", name="Source runs").click()
    run_seq, high = rows(marts, """select run_seq, H from _meta.source_run where "table" = 'activity_impression' order by run_seq desc""")[
        0
    ]
    run = opened.get_by_role("row").filter(has_text="activity_impression")
    expect(run).to_be_visible()
    assert run.get_by_role("cell").all_inner_texts()[1:3] == [str(run_seq), f"{high:%d %b %H:%M:%S}"]
    opened.get_by_role("tab", name="Parents").click()
    expect(opened.locator("code:visible").filter(has_text="fct_pair_journey").first).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_card_leads_from_its_metric_to_the_columns_of_the_source_within_the_screen(
    width: int, desk: Page, phone: Page, marts: Published
) -> None:
    page = phone if width == 360 else desk
    told = next(m for m in marts_reader.metrics(marts) if m.name == "take_rate")
    opened = open_lineage(page, "take_rate")
    for text in (told.description, told.filter_rule, told.currency_rule, told.late_data_rule, told.example):
        expect(opened.get_by_text(text)).to_be_visible(timeout=PATIENCE_MS)
    expect(opened.get_by_text("after its newest change")).to_be_visible()
    sql = rows(marts, "select sql from _meta.metric where name = 'take_rate'")[0][0]
    assert opened.get_by_test_id("stCode").locator("code").first.inner_text().split() == sql.split()
    opened.get_by_role("tab", name="Columns").click()
    expect(opened.get_by_role("listitem").filter(has_text="payments_posting.amount").last).to_be_visible()
    opened.get_by_role("tab", name="Source runs").click()
    expect(opened.get_by_role("row").filter(has_text="payments_posting")).to_be_visible()
    expect(opened.get_by_role("row").filter(has_text="jobs_skill")).to_have_count(0)
    box = opened.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_a_chart_of_several_metrics_tells_each(phone: Page, marts: Published) -> None:
    opened = open_lineage(phone, "volume")
    opened.get_by_role("radio", name="gsv_refunded").click()
    about = next(m for m in marts_reader.metrics(marts) if m.name == "gsv_refunded").description
    expect(opened.get_by_text(about)).to_be_visible(timeout=PATIENCE_MS)


def test_the_catalogue_tells_every_metric_and_finds_one_by_its_words(visitor: Callable[..., Visitor], marts: Published) -> None:
    page = visitor("admin", width=360).open_dashboards()
    settled(page)
    page.goto(f"{page.url.split('?')[0].rstrip('/')}/metrics")
    known = marts_reader.metrics(marts)
    buttons = page.get_by_role("button", name="Where from?")
    expect(buttons).to_have_count(len(known), timeout=PATIENCE_MS)
    page.get_by_placeholder("Search").fill("Kaplan hire")
    page.get_by_placeholder("Search").press("Enter")
    expect(buttons).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.get_by_text("median_hours_to_hire")).to_be_visible()
    page.get_by_placeholder("Search").fill("no such thing")
    page.get_by_placeholder("Search").press("Enter")
    expect(page.get_by_text("No metric has all of these words.")).to_be_visible(timeout=PATIENCE_MS)
    sideways = page.evaluate(
        "document.querySelector('[data-testid=stMain]').scrollWidth - document.querySelector('[data-testid=stMain]').clientWidth"
    )
    assert sideways == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off_or_scrolls_sideways(width: int, open_pages: Callable[[int], Page]) -> None:
    page = open_pages(width)
    settled(page)
    for part in ("stMetricValue", "stMetricLabel", "stMetricDelta"):
        cut = page.get_by_test_id(part).evaluate_all(
            """all => all.flatMap(one => [one, ...one.querySelectorAll('*')]).filter(e => e.scrollWidth > e.clientWidth + 1
                 && getComputedStyle(e).overflowX !== 'visible').map(e => e.innerText)"""
        )
        assert cut == [], part
    sideways = page.evaluate(
        "[document.documentElement, document.querySelector('[data-testid=stMain]')].map(e => e.scrollWidth - e.clientWidth)"
    )
    assert sideways == [0, 0]
    cards = page.get_by_test_id("stMetric").evaluate_all("all => all.map(e => Math.round(e.getBoundingClientRect().top))")
    assert cards.count(cards[0]) == (2 if width == 360 else 4), "cards a line"


def test_charts_say_in_words_what_they_show(desk: Page, marts: Published) -> None:
    shown, completed = (
        rows(marts, f"""select "count" from admin.funnel where stage = '{stage}'""")[0][0] for stage in ("shown", "completed")
    )
    alt = desk.locator(".st-key-funnel [aria-label], .st-key-funnel [alt]").first
    said = alt.get_attribute("aria-label") or alt.get_attribute("alt") or ""
    assert f"shown {shown:,}" in said and f"completed {completed:,}" in said


def test_before_the_first_publication_the_page_says_what_to_do_and_then_follows(desk: Page, stage: Stage) -> None:
    with instead(stage, None):
        desk.reload()
        expect(desk.get_by_text("Nothing has been published yet.")).to_be_visible(timeout=PATIENCE_MS)
        expect(desk.get_by_text("make pipeline")).to_be_visible()
        expect(desk.get_by_test_id("stMetricValue")).to_have_count(0)
    settled(desk)


def test_an_empty_market_shows_nothing_yet_instead_of_numbers(
    visitor: Callable[..., Visitor], stage: Stage, marts: Published, tmp_path: Path
) -> None:
    folder = publication(tmp_path / "published", "20200101T000000000000", empty_market(marts, tmp_path / "empty.duckdb"))
    with instead(stage, folder):
        page = visitor("admin").open_dashboards()
        expect(page.get_by_test_id("stMetricValue")).to_have_count(len(CARDS), timeout=PATIENCE_MS)
        for text in (
            "No money has moved",
            "Nothing was released yet",
            "No month has 5 jobs",
            "No job has been open yet",
            "No job was shown",
        ):
            expect(page.get_by_text(text)).to_be_visible(timeout=PATIENCE_MS)
        values = page.get_by_test_id("stMetricValue").all_inner_texts()
        assert sorted(values) == sorted(["$0"] * 7 + ["—"] * 5 + ["0"] * 4)
        expect(page.locator(".js-plotly-plot")).to_have_count(0)
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_newer_publication_is_announced_and_shown_on_request(desk: Page, stage: Stage, marts: Published, tmp_path: Path) -> None:
    folder = publication(tmp_path / "published", "29990101T000000000000", empty_market(marts, tmp_path / "empty.duckdb"))
    with instead(stage, folder):
        button = desk.get_by_role("button", name="Newer numbers are there")
        expect(button).to_be_visible(timeout=PATIENCE_MS)
        expect(desk.get_by_text(marts.publish_id)).to_be_visible()
        button.click()
        expect(desk.get_by_text("29990101T000000000000")).to_be_visible(timeout=PATIENCE_MS)
        expect(desk.get_by_text("No money has moved")).to_be_visible(timeout=PATIENCE_MS)
