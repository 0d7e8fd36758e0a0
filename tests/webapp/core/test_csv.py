"""CSV that goes out: formulas are text, numbers are numbers, and whatever was written is read back."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from marketplace.core.csv import csv_text


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://evil.example","x")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        '"=1',
        "'=1",
        '" =1',
        "\n=1",
        "\u200b=1",
        "\uff1d1",
        "\tplain",
        "-5",
    ],
)
def test_what_could_be_a_formula_is_made_text(cell: str) -> None:
    assert read(csv_text(["a"], [[cell]]))[1] == ["'" + cell]
    assert read(csv_text([cell], []))[0] == ["'" + cell]


def test_everything_else_is_read_back_as_it_was() -> None:
    row = [
        -5,
        1.5,
        Decimal("-0.10"),
        None,
        True,
        'a,b\n"c"',
        "नमस्ते مرحبا 🎉",
        datetime(2026, 2, 28, tzinfo=UTC),
        ["=1"],
        {"a": -1},
        "1-2",
        "",
    ]
    assert read(csv_text(["x"] * len(row), [row]))[1] == [
        "-5", "1.5", "-0.10", "", "true", "a,b\n\"c\"", "नमस्ते مرحبا 🎉", "2026-02-28T00:00:00+00:00", '["=1"]', '{"a": -1}', "1-2", "",
    ]  # fmt: skip
