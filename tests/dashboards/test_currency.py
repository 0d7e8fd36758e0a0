"""Money in the viewer's currency, on the pages: an estimate by the publication's own rates, said to be one, and nothing else changed by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Page, expect

from dashboards.components import figures
from dashboards.components.currency import US_DOLLARS, Reading, days_old
from pipelines.marts_reader import Published
from pipelines.marts_reader.currencies import Currency
from tests.dashboards.by_hand import emptied, publication
from tests.dashboards.stage import NUMBERS, Stage, Visitor, instead, watch_for
from tests.dashboards.test_overview import CARDS, PATIENCE_MS, as_read, drawn, open_lineage, reading, rows, settled

DAY = date(2026, 10, 30)
YEN = Reading(Currency("JPY", "Japanese Yen", 0), Decimal("1.5725"), DAY)
DINAR = Reading(Currency("KWD", "Kuwaiti Dinar", 3), Decimal("3.0712345678"), DAY)
EURO = Reading(Currency("EUR", "Euro", 2), Decimal("0.8950948801"), DAY)
RUPIAH = Reading(Currency("IDR", "Indonesian Rupiah", 2), Decimal("18148.2"), DAY)


@pytest.mark.parametrize(
    ("reading", "cents", "short", "exact"),
    [
        (US_DOLLARS, 1_234_567_89, "$1,234,568", "$1,234,567.89"),
        (US_DOLLARS, -150, "−$2", "−$1.50"),
        (EURO, 11_031_54, "≈ €9,874", "≈ €9,874.27"),
        (EURO, 0, "≈ €0", "≈ €0.00"),
        (YEN, 11_031_54, "≈ ¥1.735M", "≈ ¥1,734,710"),
        (YEN, -150, "≈ −¥236", "≈ −¥236"),
        (DINAR, 11_031_54, "≈ KWD 3,388", "≈ KWD 3,388.045"),
        (RUPIAH, 11_031_54, "≈ IDR 200.2M", "≈ IDR 200,202,594.23"),
        (RUPIAH, 10**12, "≈ IDR 181.5T", "≈ IDR 181,482,000,000,000.00"),
    ],
)
def test_an_estimate_has_the_currencys_sign_and_decimal_places(reading: Reading, cents: int, short: str, exact: str) -> None:
    assert (reading.text(cents), reading.text(cents, exact=True)) == (short, exact)
    assert figures.number_text(cents, "minor", "USD", reading) == short


@pytest.mark.parametrize(
    ("value", "unit", "currency", "text"),
    [(None, "minor", "USD", "—"), (150, "minor", "EUR", "2 EUR"), (0.1, "share", None, "10.0 %"), (1234, "count", None, "1,234")],
)
def test_what_is_not_money_in_dollars_is_told_as_before(value: float | None, unit: str, currency: str | None, text: str) -> None:
    assert figures.number_text(value, unit, currency, YEN) == text


def test_the_rate_is_told_with_the_decimal_places_of_both_currencies_and_its_day() -> None:
    assert [r.terms.partition(",")[0] for r in (EURO, YEN, DINAR)] == ["1 USD = 0.89509 EUR", "1 USD = 157.25 JPY", "1 USD = 0.30712 KWD"]
    assert RUPIAH.terms == "1 USD = 18,148 IDR, the newest rate (30 Oct 2026)"
    assert [r.units(11_031.54) for r in (US_DOLLARS, EURO, YEN, DINAR)] == [11_031.54, 9_874.27, 1_734_710.0, 3_388.045]


@pytest.mark.parametrize(
    ("today", "age", "told"),
    [
        (date(2026, 11, 4), None, "the newest rate (30 Oct 2026)"),
        (date(2026, 11, 5), 6, "the newest rate (30 Oct 2026), **an old one, of 6 days ago**"),
    ],
)
def test_a_rate_is_told_as_old_from_the_day_after_its_last(today: date, age: int | None, told: str) -> None:
    assert days_old(DAY, date(2026, 11, 4), today) == age
    assert replace(EURO, days_old=age).told == f"≈ estimated in EUR at 1 USD = 0.89509 EUR, {told}"
    assert days_old(DAY, None, today) is None, "a publication that does not tell the last day"


@pytest.fixture
def newest(marts: Published) -> dict[str, tuple[Decimal, date]]:
    """Currency → its minor units of a US cent at the newest rate, and the first day of that."""
    sql = "select currency, arg_max(minor_per_usd_cent, valid_from), max(valid_from) from metrics.usd_rates group by currency"
    return {currency: (rate, first) for currency, rate, first in rows(marts, sql)}


def overview(marts: Published) -> list[tuple[str, float | None, str]]:
    return rows(marts, "select metric, value, unit from admin.kpi_overview")


def euro(value: float, rate: Decimal) -> str:
    """US cents as the page must write them, worked out apart from the page's own code; none of the sample's is a million."""
    cents = (Decimal(str(value)) * rate).quantize(Decimal(1), ROUND_HALF_EVEN)
    return f"≈ €{(cents / 100).quantize(Decimal(1), ROUND_HALF_EVEN):,}"


def euro_to_the_cent(value: float, rate: Decimal) -> str:
    return f"≈ €{(Decimal(str(value)) * rate).quantize(Decimal(1), ROUND_HALF_EVEN) / 100:,.2f}"


def shown(page: Page) -> dict[str, str]:
    """Title of each card → its figure."""
    labels, values = (page.get_by_test_id(part).all_inner_texts() for part in ("stMetricLabel", "stMetricValue"))
    return {label.strip(): value for label, value in zip(labels, values, strict=True)}


def choose(page: Page, words: str) -> None:
    """As somebody without a mouse does: by Tab to the choice, a few letters, Enter."""
    choice = page.get_by_role("combobox", name="Money in")
    expect(choice).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Demo Admin").focus()
    page.keyboard.press("Tab")
    expect(choice).to_be_focused()
    page.keyboard.type(words)
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")


browser = pytest.mark.browser


def in_euro(page: Page) -> Page:
    settled(page)
    choose(page, "euro")
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text("€", timeout=PATIENCE_MS)
    settled(page)
    return page


@pytest.fixture(scope="module")
def chosen(open_pages: Callable[[int], Page]) -> Page:
    """The overview of an admin who has chosen the euro, for tests that only read."""
    return in_euro(open_pages(1280))


@pytest.fixture
def converted(chosen: Page) -> Iterator[Page]:
    yield from reading(chosen)


@browser
def test_dollars_are_shown_until_another_currency_is_chosen_out_of_those_with_a_rate(
    visitor: Callable[..., Visitor], newest: dict[str, Any]
) -> None:
    page = visitor("admin").open_dashboards()
    settled(page)
    choice = page.get_by_role("combobox", name="Money in")
    expect(choice).to_have_value("USD · US Dollar")
    choice.click()
    # the list holds only what fits the eye; it begins with dollars, and goes on by code
    offered = [text.split(" · ")[0] for text in page.get_by_role("option").all_inner_texts()]
    assert offered == ["USD", *sorted(newest.keys() - {"USD"})][: len(offered)] and len(offered) >= 5
    page.keyboard.press("Escape")
    assert "currency" not in page.url


@browser
def test_every_card_of_money_is_an_estimate_in_the_chosen_currency_and_the_others_stay(
    converted: Page, marts: Published, newest: dict[str, Any]
) -> None:
    rate, first = newest["EUR"]
    wanted = {m: euro(value, rate) if unit == "minor" and value is not None else as_read(value, unit) for m, value, unit in overview(marts)}
    assert sum("€" in text for text in wanted.values()) == 7
    assert shown(converted) == {title: wanted[metric] for title, metric in CARDS.items()}
    told = converted.get_by_test_id("stCaptionContainer").first.inner_text()
    assert "≈ estimated in EUR at 1 USD = 0." in told and f"the newest rate ({first:%d %b %Y})" in told and "US dollars" not in told
    converted.locator(".st-key-cards-0").get_by_test_id("stTooltipHoverTarget").first.hover()
    exact = next(value for metric, value, _ in overview(marts) if metric == "gsv_funded_30d")
    about = converted.get_by_test_id("stTooltipContent")
    expect(about).to_contain_text(
        f"Exactly ${Decimal(str(exact)) / 100:,.2f}, which is {euro_to_the_cent(exact, rate)}: an estimate at 1 USD = 0."
    )


@browser
def test_the_bars_of_volume_are_converted_month_by_month_and_say_so(converted: Page, marts: Published, newest: dict[str, Any]) -> None:
    rate, _ = newest["EUR"]
    since = "date_trunc('month', (select max(as_of) from admin.kpi_overview)) - interval 12 month"
    for trace in drawn(converted, "volume"):
        sql = f"select date_trunc('month', day), sum({trace['name']}_usd_minor) from admin.gsv_daily where day >= {since} group by 1 order by 1"
        months = [(Decimal(int(cents)) * rate).quantize(Decimal(1), ROUND_HALF_EVEN) / 100 for _, cents in rows(marts, sql)]
        assert [Decimal(str(y)) for y in trace["y"]] == months, trace["name"]
    chart = converted.locator(".st-key-volume")
    expect(chart.locator(".ytick").last).to_contain_text("€")
    assert "funded ≈ €" in (chart.locator("[aria-label], [alt]").first.get_attribute("aria-label") or "")
    expect(converted.get_by_text("US dollars at the rate of each day, then all in EUR at the newest")).to_be_visible()
    released = converted.locator(".st-key-take-rate .js-plotly-plot").evaluate("plot => plot._fullData[0].customdata.map(d => d[0])")
    assert released and all(text.startswith("≈ €") for text in released)


@browser
def test_a_converted_figure_still_leads_to_its_rows_and_to_those_of_its_rate(
    converted: Page, marts: Published, newest: dict[str, Any]
) -> None:
    rate, first = newest["EUR"]
    value = next(value for metric, value, _ in overview(marts) if metric == "gsv_funded")
    opened = open_lineage(converted, "gsv_funded")
    said = opened.get_by_text("Shown in EUR, an estimate.").locator("xpath=ancestor::*[@data-testid='stMarkdownContainer']").inner_text()
    assert f"× {rate.normalize():f} minor units of EUR for a cent" in said
    assert f"the row EUR, {first} of metrics.usd_rates" in said
    assert f"Over everything: ${Decimal(str(value)) / 100:,.2f} {euro_to_the_cent(value, rate)}." in said
    opened.get_by_role("tab", name="Source runs").click()
    expect(opened.get_by_role("row").filter(has_text="payments_posting")).to_be_visible()
    opened.get_by_role("radio", name="usd_rates").click()
    expect(opened.get_by_text("One row a currency and the days one rate to USD holds for")).to_be_visible(timeout=PATIENCE_MS)
    expect(opened.get_by_role("tab", name="Columns")).to_have_count(0, timeout=PATIENCE_MS)  # the metric's are gone
    opened.get_by_role("tab", name="Source runs").click()
    expect(opened.get_by_role("row").filter(has_text="payments_fxrate")).to_be_visible()
    converted.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    # what is no money has no rate behind it
    expect(open_lineage(converted, "open_jobs").get_by_text("an estimate")).to_have_count(0)


@browser
def test_the_choice_stays_on_the_next_page_in_the_address_and_after_a_reload(
    visitor: Callable[..., Visitor], marts: Published, newest: dict[str, Any]
) -> None:
    page = in_euro(visitor("admin").open_dashboards())
    funded = euro(next(value for metric, value, _ in overview(marts) if metric == "gsv_funded"), newest["EUR"][0])
    expect(page).to_have_url(re.compile(r"/\?currency=EUR$"))
    page.get_by_role("link", name="Metrics").first.click()
    entry = page.locator(".st-key-metric-gsv_funded")
    expect(entry.get_by_text(funded)).to_be_visible(timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(r"/metrics\?currency=EUR$"))
    expect(page.locator(".st-key-metric-take_rate")).not_to_contain_text("€")
    page.reload()
    expect(entry.get_by_text(funded)).to_be_visible(timeout=PATIENCE_MS)
    # by way of a page that shows no money
    page.get_by_role("link", name="Data quality").first.click()
    expect(page.get_by_role("heading", name="Data quality")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Overview").first.click()
    settled(page)
    assert shown(page)["GSV funded"] == funded
    choose(page, "USD")
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text("$", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(r"^[^?]*$"))


#: a phone and a desk
WIDTHS = (360, 1280)


def resized(page: Page, width: int) -> Page:
    page.set_viewport_size({"width": width, "height": 900})
    # Plotly draws anew a moment later
    page.wait_for_function(
        """() => [...document.querySelectorAll('.js-plotly-plot')].every(
             plot => Math.abs(plot.querySelector('.main-svg').getBoundingClientRect().width - plot.getBoundingClientRect().width) <= 1)"""
    )
    return page


@browser
def test_long_amounts_fit_the_screen_and_a_currency_without_rate_is_refused_in_words(visitor: Callable[..., Visitor]) -> None:
    page = visitor("admin", width=WIDTHS[0]).open_dashboards("/?currency=IDR")
    page.wait_for_url("**/?currency=IDR")
    base = page.url.split("?")[0]
    for code, sign in (("IDR", "≈ IDR"), ("JPY", "≈ ¥"), ("KWD", "≈ KWD")):
        if code not in page.url:
            page.goto(f"{base}?currency={code}")
        settled(page)
        expect(page.get_by_test_id("stMetricValue").first).to_contain_text(sign, timeout=PATIENCE_MS)
        for width in WIDTHS:
            resized(page, width)
            cut = page.get_by_test_id("stMetricValue").evaluate_all(
                """all => all.flatMap(one => [one, ...one.querySelectorAll('*')]).filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"""
            )
            assert cut == [], (code, width)
            sideways = "[document.documentElement, document.querySelector('[data-testid=stMain]')].map(e => e.scrollWidth - e.clientWidth)"
            assert page.evaluate(sideways) == [0, 0], (code, width)
    # two signs of dollars in one sentence are no formula
    page.goto(f"{base}?currency=CAD")
    settled(page)
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text("≈ CA$", timeout=PATIENCE_MS)
    for width in WIDTHS:
        resized(page, width)
        page.locator(".st-key-cards-0").get_by_test_id("stTooltipHoverTarget").first.hover()
        hint = page.get_by_test_id("stTooltipContent")
        expect(hint).to_contain_text(re.compile(r"Exactly \$[\d,.]+, which is ≈ CA\$[\d,.]+: an estimate"))
        page.mouse.move(0, 0)
        expect(hint).to_have_count(0)
        opened = open_lineage(page, "gsv_funded")
        expect(opened.get_by_text("Shown in CAD, an estimate.").locator("xpath=ancestor::p")).to_contain_text(
            re.compile(r"Over everything: \$[\d,.]+ ≈ CA\$[\d,.]+\.")
        )
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)
    page.goto(f"{base}?currency=xqx")
    settled(page)
    for width in WIDTHS:
        resized(page, width)
        expect(page.get_by_text("No rate is known for XQX: money is in US dollars.")).to_be_visible(timeout=PATIENCE_MS)
        assert shown(page)["GSV funded"].startswith("$")
        expect(page.get_by_role("combobox", name="Money in")).to_have_value("USD · US Dollar")


def aged(marts: Published, file: Path, days: int, left: int) -> Path:
    """The sample's overview, with a newest rate of the euro that is so many days old and has so many days left."""
    emptied(marts, file, kept=("admin.kpi_overview", "metrics.usd_rates"))
    with duckdb.connect(str(file)) as db:
        db.execute("delete from metrics.usd_rates where currency = 'EUR' and valid_to < '9999-12-31'")
        db.execute(
            "update metrics.usd_rates set valid_from = ?, good_until = ? where currency = 'EUR'",
            [today() - timedelta(days=days), today() + timedelta(days=left)],
        )
    return file


def today() -> date:
    return datetime.now(UTC).date()


@browser
def test_an_estimate_by_an_old_rate_says_so_in_words(
    visitor: Callable[..., Visitor], stage: Stage, marts: Published, tmp_path: Path
) -> None:
    young = publication(tmp_path / "young", "20200101T000000000001", aged(marts, tmp_path / "young.duckdb", days=4, left=1))
    old = publication(tmp_path / "old", "20200101T000000000002", aged(marts, tmp_path / "old.duckdb", days=1_006, left=-1_001))
    with instead(stage, young):
        page = visitor("admin").open_dashboards("/?currency=EUR")
        settled(page, charts=0)
        told = page.get_by_test_id("stCaptionContainer").filter(has_text="≈ estimated in EUR at 1 USD = 0.")
        expect(told).to_contain_text(f"the newest rate ({today() - timedelta(days=4):%d %b %Y}) · changes")
        expect(page.get_by_text("an old one")).to_have_count(0)
    with instead(stage, old):
        for page_of, numbers in (("metrics", 0), ("", len(CARDS))):
            page.goto(f"{stage.dashboards}/{page_of}?currency=EUR")
            watch_for(page, {NUMBERS: numbers}, "Overview" if numbers else "Metrics")
            expect(told).to_contain_text(
                re.compile(r"newest rate \(\d\d \w{3} \d{4}\), an old one, of 1,00[67] days ago"), timeout=PATIENCE_MS
            )
            for width in WIDTHS:
                resized(page, width)
                words = told.locator("strong")
                expect(words).to_be_in_viewport()
                box = words.bounding_box()
                assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
        page.locator(".st-key-cards-0").get_by_test_id("stTooltipHoverTarget").first.hover()
        expect(page.get_by_test_id("stTooltipContent")).to_contain_text("days ago")


@browser
def test_a_publication_without_rates_offers_dollars_alone(
    visitor: Callable[..., Visitor], stage: Stage, marts: Published, tmp_path: Path
) -> None:
    file = emptied(marts, tmp_path / "marts.duckdb", kept=("admin.kpi_overview",))
    empty = publication(tmp_path / "empty", "20200101T000000000000", file)
    with duckdb.connect(str(file)) as db:
        db.execute("drop table metrics.usd_rates")
    older = publication(tmp_path / "older", "20200101T000000000001", file)
    admin = visitor("admin")
    for folder, opened in ((empty, admin.open_dashboards), (older, admin.page.reload)):
        with instead(stage, folder):
            opened()
            settled(admin.page, charts=0)
            expect(admin.page.get_by_text("This publication has no rate to another currency.")).to_be_visible(timeout=PATIENCE_MS)
            expect(admin.page.get_by_text(json.loads((folder / "staff" / "CURRENT.json").read_text())["publish_id"])).to_be_visible()
            admin.page.get_by_role("combobox", name="Money in").click()
            assert admin.page.get_by_role("option").all_inner_texts() == ["USD · US Dollar"]
            expect(admin.page.get_by_test_id("stException")).to_have_count(0)
