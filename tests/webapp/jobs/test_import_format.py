"""One row of a foreign CSV: prices, dates, countries, texts, and what a mapping may say."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.errors import InvalidInput
from marketplace.jobs.import_format import FileMapping, RowRejected, amounts, country_code, post_of

ROW = {"title": "Write an importer", "published": "5/14/2024 1:23am", "description": "All of it.", "skills": "Python, C#"}


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("", "USD", ()),
        ("N/A", "USD", ()),
        ("$1,234.50", "USD", (123450,)),
        ("1234.5", "USD", (123450,)),
        ("$1,000,000", "USD", (100000000,)),
        ("US$5", "USD", (500,)),
        ("USD 5", "USD", (500,)),
        ("5 EUR", "EUR", (500,)),
        ("€5.00", "EUR", (500,)),
        ("CA$20", "CAD", (2000,)),
        ("¥5,000", "JPY", (5000,)),
        ("JPY 5000", "JPY", (5000,)),
        ("1.250", "KWD", (1250,)),
        ("$10.00 - $55.00", "USD", (1000, 5500)),
        ("$10–$20", "USD", (1000, 2000)),
        ("10 to 20", "USD", (1000, 2000)),
        ("Est. budget:\n$1,000.00", "USD", (100000,)),
        ("Hourly: $25.00 - $35.00", "USD", (2500, 3500)),
    ],
)
def test_a_price_is_read_exactly(text: str, currency: str, expected: tuple[int, ...]) -> None:
    assert amounts(text, currency) == expected


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("-5", "USD", "the price is negative"),
        ("$-5", "USD", "the price is negative"),
        ("-$5.00", "USD", "the price is negative"),
        ("($5.00)", "USD", "the price is negative"),
        ("$0.00", "USD", "the price is zero"),
        ("$5.001", "USD", "the price is not an amount of USD"),
        ("¥5.50", "JPY", "the price is not an amount of JPY"),
        ("€5", "USD", "the price is not in USD"),
        ("$5", "EUR", "the price is not in EUR"),
        ("5 GBP", "USD", "the price is not in USD"),
        ("lots", "USD", "the price cannot be read"),
        ("1.5k", "USD", "the price is not in USD"),
        ("12,34", "USD", "the price cannot be read"),
        ("1,23,456", "USD", "the price cannot be read"),
        ("1.2.3", "USD", "the price cannot be read"),
        ("1-2-3", "USD", "the price cannot be read"),
        ("1e5", "USD", "the price cannot be read"),
        ("NaN", "USD", "the price cannot be read"),
        ("Infinity", "USD", "the price cannot be read"),
        ("$99999999999999999999", "USD", "the price is not an amount of USD"),
        ("$10,000,000,000.01", "USD", "the price is larger than any that is allowed"),
    ],
)
def test_what_is_no_price_is_refused_with_the_reason(text: str, currency: str, reason: str) -> None:
    with pytest.raises(RowRejected) as refused:
        amounts(text, currency)
    assert refused.value.reason == reason


def test_a_decimal_comma_is_read_when_the_mapping_says_so() -> None:
    assert amounts("1.234,50 €", "EUR", ",") == (123450,)
    with pytest.raises(RowRejected):
        amounts("1.234,50 €", "EUR")


@given(st.integers(min_value=1, max_value=10**12), st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3)]), st.booleans())
def test_every_amount_that_is_written_out_is_read_back(minor: int, currency: tuple[str, int], grouped: bool) -> None:
    code, places = currency
    written = f"{Decimal(minor).scaleb(-places):{',' if grouped else ''}.{places}f}"
    assert amounts(f"{code} {written}", code) == (minor,)


@given(st.text(max_size=60))
def test_any_text_is_a_price_or_refused(text: str) -> None:
    try:
        found = amounts(text, "USD")
    except RowRejected:
        return
    assert len(found) <= 2
    assert all(type(amount) is int and amount > 0 for amount in found)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"budget": "$600.00"}, ("fixed", 60000, 60000)),
        ({"budget": "$100 - $200"}, ("fixed", 10000, 20000)),
        ({"hourly_min": "$15.00", "hourly_max": "$30.00"}, ("hourly", 1500, 3000)),
        ({"hourly_min": "$100.00"}, ("hourly", 10000, None)),
        ({}, ("hourly", None, None)),
        ({"pricing": "Fixed price"}, ("fixed", None, None)),
        ({"pricing": "Hourly: $25.00 - $35.00"}, ("hourly", 2500, 3500)),
        ({"pricing": "Hourly"}, ("hourly", None, None)),
    ],
)
def test_the_kind_of_price_follows_from_what_the_row_states(cells: dict[str, str], expected: tuple[str, int | None, int | None]) -> None:
    post = post_of({**ROW, **cells}, FileMapping(), "test")
    assert (post.pricing, post.budget_min_minor, post.budget_max_minor) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"title": ""}, "the title is missing"),
        ({"title": " - Upwork"}, "the title is missing"),
        ({"title": "&nbsp;\u200b"}, "the title is missing"),
        ({"title": "x" * 201}, "the title is longer than 200 characters"),
        ({"description": "x" * 20001}, "the description is longer than 20,000 characters"),
        ({"published": "13/45/2024"}, "the date cannot be read"),
        ({"published": "5/14/0001 1:23am"}, "the date cannot be read"),
        ({"hourly_min": "$30", "hourly_max": "$15"}, "the price's lower end is above its upper end"),
        ({"hourly_max": "$15"}, "the hourly rate has an upper end but no lower end"),
        ({"hourly_min": "$10 - $20", "hourly_max": "$30"}, "the hourly rate has two upper ends"),
        ({"budget": "$5", "hourly_min": "$15"}, "the row states a fixed price and an hourly rate"),
        ({"budget": "$5", "pricing": "Hourly"}, "the price contradicts the kind of pricing"),
        ({"currency": "ABC"}, "the currency is unknown"),
    ],
)
def test_a_row_that_cannot_become_a_post_is_refused_with_the_reason(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(RowRejected) as refused:
        post_of({**ROW, **cells}, FileMapping(), "test")
    assert refused.value.reason == reason


def test_titles_and_descriptions_lose_entities_suffix_and_control_characters_but_keep_paragraphs() -> None:
    cells = {"title": "&quot;Fix&quot; R&amp;amp;D\x00 - Upwork", "description": "One &lt;b&gt;\r\n\r\n\r\n\r\nTwo<br />Three\x07"}
    post = post_of({**ROW, **cells}, FileMapping(), "test")
    assert post.title == '"Fix" R&D'
    assert post.description == "One <b>\n\nTwo\nThree"


def test_the_date_is_read_in_the_zone_of_the_mapping() -> None:
    assert post_of(ROW, FileMapping(), "test").published_at == datetime(2024, 5, 14, 1, 23, tzinfo=UTC)
    berlin = FileMapping(time_zone="Europe/Berlin")
    assert post_of(ROW, berlin, "test").published_at == datetime(2024, 5, 13, 23, 23, tzinfo=UTC)
    assert post_of({**ROW, "published": "2024-05-14T01:23:00-04:00"}, berlin, "test").published_at == datetime(
        2024, 5, 14, 5, 23, tzinfo=UTC
    )
    assert post_of({**ROW, "published": ""}, FileMapping(), "test").published_at is None


def test_the_key_survives_a_changed_price_and_tells_sources_and_texts_apart() -> None:
    key = post_of(ROW, FileMapping(), "test").key
    assert key == post_of({**ROW, "budget": "$9", "title": "WRITE an importer - Upwork"}, FileMapping(), "test").key
    others = {
        post_of(ROW, FileMapping(), "other").key,
        post_of({**ROW, "published": "5/14/2024 1:24am"}, FileMapping(), "test").key,
        post_of({**ROW, "description": "Half of it."}, FileMapping(), "test").key,
    }
    assert len(others | {key}) == 4


@pytest.mark.parametrize(
    ("text", "code"),
    [("Germany", "DE"), ("USA", "US"), ("ITA", "IT"), ("gb", "GB"), ("UK", "GB"), ("Turkey", "TR"), ("Türkiye", "TR"), ("Czech Republic", "CZ"), ("Hong Kong", "HK"), ("Côte d’Ivoire", "CI"), ("Viet Nam", "VN"), ("", ""), ("Atlantis", ""), ("EU", "")],
)  # fmt: skip
def test_a_country_is_known_by_name_and_by_either_code(text: str, code: str) -> None:
    assert country_code(text) == code


def mapping_of(tmp_path: Path, text: str) -> FileMapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return FileMapping.read(path)


def test_a_mapping_names_columns_categories_and_the_files_habits(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        '[columns]\ntitle = "Job Title"\n[categories]\n"Boats" = "trades-local"\n[file]\ncurrency = "EUR"\ndate_formats = ["%d.%m.%Y"]\ntime_zone = "Europe/Berlin"\n',
    )
    assert (mapping.columns, mapping.currency, mapping.date_formats) == ({"title": "Job Title"}, "EUR", ("%d.%m.%Y",))
    assert (mapping.category("BOATS"), mapping.category("Cars")) == ("trades-local", "Cars")
    assert FileMapping.read(None) == FileMapping()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not toml", "mapping_unreadable"),
        ("[colums]\n", "mapping_option_unknown"),
        ('[columns]\ntitle = "T"\nprice = "P"\n', "mapping_option_unknown"),
        ("[file]\nspeed = 1\n", "mapping_option_unknown"),
        ("[columns]\n", "mapping_title"),
        ("[columns]\ntitle = 3\n", "mapping_text"),
        ('[file]\nencoding = "utf-99"\n', "mapping_encoding"),
        ('[file]\ntime_zone = "Mars/Olympus"\n', "mapping_encoding"),
        ('[file]\ntime_zone = "/etc/passwd"\n', "mapping_time_zone"),
        ('[file]\ncurrency = "XYZ"\n', "currency_unknown"),
        ('[file]\ndelimiter = ";;"\n', "mapping_mark"),
        ('[file]\ndecimal_mark = "x"\n', "mapping_mark"),
        ('[file]\nskills_separator = ""\n', "mapping_separator"),
        ('[file]\npricing_when_unknown = "free"\n', "mapping_pricing"),
        ('[categories]\nBoats = "boats"\n', "mapping_category"),
        ("file = 3\n", "mapping_option_unknown"),
        ("columns = 3\n", "mapping_option_unknown"),
        ("[file]\nencoding = 3\n", "mapping_text"),
        ('[file]\ndate_formats = "%d"\n', "mapping_text"),
    ],
)
def test_a_wrong_mapping_is_refused_by_the_name_of_its_option(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        mapping_of(tmp_path, text)
    assert refused.value.code == code


def test_a_mapping_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        FileMapping.read(tmp_path / "none.toml")
