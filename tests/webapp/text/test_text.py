"""What is found in texts: both sets whole, offsets of the original, and work that grows with the text and no faster."""

from __future__ import annotations

import csv
import html
import itertools
import sys
import tomllib
from pathlib import Path

import pytest

from marketplace.trust.text import MAX_FINDINGS, NOTE, WARN, check, check_tokens, copies
from marketplace.trust.text.finding import Finding
from marketplace.trust.text.scan import scan

SENTENCES = tomllib.loads((Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8"))
#: looks at tokens a character; ordinary prose needs about four
MOST_LOOKS = 150


def warnings(text: str) -> list[Finding]:
    return [f for f in check(text) if f.level == WARN]


def test_no_clean_sentence_is_warned_of_and_every_bad_one_is(capsys: pytest.CaptureFixture[str]) -> None:
    clean, caught = SENTENCES["clean"], SENTENCES["caught"]
    alarms = [(text, warnings(text)) for text in clean if warnings(text)]
    missed = [c for c in caught if c["code"] not in {f.code for f in warnings(c["text"])}]
    with capsys.disabled():
        rate, recall = len(alarms) / len(clean), 1 - len(missed) / len(caught)
        sys.stdout.write(f"\ntext checks: false alarms {rate:.1%} of {len(clean)} clean sentences, recall {recall:.1%} of {len(caught)}\n")
    assert (alarms, missed) == ([], [])
    assert len(clean) >= 100 and len(caught) >= 75


@pytest.mark.shared
def test_real_posts_raise_few_alarms(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real posts are mostly clean: what is warned of there is taken for a false alarm."""
    with (shared / "data" / "job_posts" / "posts_2024.csv").open(encoding="utf-8", errors="replace") as file:
        posts = [html.unescape(f"{row['title']}\n{row['description']}") for row in csv.DictReader(file)]
    alarms = sum(bool(warnings(post)) for post in posts)
    with capsys.disabled():
        sys.stdout.write(f"\ntext checks: {alarms} of {len(posts)} real posts are warned of ({alarms / len(posts):.1%})\n")
    assert len(posts) >= 500
    assert alarms / len(posts) <= 0.01


@pytest.mark.parametrize(
    ("text", "code", "excerpt"),
    [
        ("Hi 👋🏽 — write to jane (at) mail dot com, thanks", "email", "jane (at) mail dot com"),
        ("اتصل بي: هاتف ٠٥٠١٢٣٤٥٦٧ الآن", "phone", "٠٥٠١٢٣٤٥٦٧"),
        ("x ｊａｎｅ＠ｇｍａｉｌ．ｃｏｍ y", "email", "ｊａｎｅ＠ｇｍａｉｌ．ｃｏｍ"),
        ("call +1 (555) 123-4567 today", "phone", "+1 (555) 123-4567"),
        ("0\u200b7\u200b1\u200b2 345 678", "phone", "0\u200b7\u200b1\u200b2 345 678"),
        ("We can pay you outside of the platform, yes.", "outside_payment", "pay you outside of the platform"),
        ("see https://wa.me/254712345678.", "messenger", "https://wa.me/254712345678"),
        ("ok, 我们可以平台外付款。", "outside_payment", "平台外付款"),
    ],
)
def test_offsets_point_into_the_original(text: str, code: str, excerpt: str) -> None:
    (found,) = warnings(text)
    assert (found.code, text[found.start : found.end], found.excerpt) == (code, excerpt, excerpt)
    assert found.reason


def test_a_link_is_only_a_note() -> None:
    (found,) = check("My work: https://example.com/a?b=1.")
    assert (found.code, found.level, found.excerpt) == ("link", NOTE, "https://example.com/a?b=1")


def test_findings_do_not_overlap_and_the_warning_stays() -> None:
    text = "jane.doe@example.com, example.com, skype: jane_77, call 0712 345 678"
    found = check(text)
    assert [f.code for f in found] == ["email", "link", "handle", "phone"]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


#: what makes searches go back and forth, each repeated to 100,000 characters
ADVERSARIAL = [
    "a", "1", "@", ".", "-", "a.", "a@", "@a", "a.a@", "1-", "1 ", "1.", "(1)", "+1", "+", "a at ", "at ", "dot ", "a dot ", "a at a dot ", " (at) ", "[at][dot]",
    "one ", "one 1 ", "http://", "http://a.", "www.a.com/", "telegram ", "telegram: ", "telegram id is ", "skype: a_", "message me on ", "pay ", "pay outside ",
    "pay you outside of the ", "you pay fee before ", "registration fee ", "0712 ", "0712-345-678 ", "a\u200b", "\u200b", "\n", " \n", "平台", "平台外", "ＡＢ", "👋🏽", "\u0301",
    "jane@gmail.com ", "a-b.c-d.", "12.34.", "without the fee ", "call ", "电话", "é", "ß",
]  # fmt: skip


@pytest.mark.parametrize("piece", range(len(ADVERSARIAL)))
def test_the_work_is_linear_in_the_text_whatever_it_repeats(piece: int) -> None:
    """Rules look at tokens only through `kind` and `word`, which count: the count is bounded by the length, and doubles with it."""
    looks = []
    for length in (50_000, 100_000):
        text = (ADVERSARIAL[piece] * length)[:length]
        tokens = scan(text)
        assert len(tokens) <= length
        assert len(check_tokens(tokens)) <= MAX_FINDINGS
        looks.append(tokens.looks)
    assert looks[1] <= MOST_LOOKS * 100_000
    assert looks[1] <= 2.2 * looks[0] + 1_000


def test_many_findings_are_told_up_to_a_bound() -> None:
    assert len(check("jane@gmail.com " * 10_000)) == MAX_FINDINGS


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "\u202e0712345678", "@" * 50, "…" * 50, "a" * 100_000])
def test_any_text_is_read(text: str) -> None:
    assert all(0 <= f.start < f.end <= len(text) for f in check(text))


def test_copies_are_known_by_their_runs_of_words() -> None:
    letter = "Dear client, I have built ten shops like this one, with a cart and a checkout, and I would start on Monday with a first draft of it."
    other = "We look for a translator of legal texts from German into Swahili who has worked for courts and can deliver forty pages a week to us."
    changed = letter.replace("Monday", "Tuesday").upper()
    one, two, three = (copies.sketch(scan(t)) for t in (letter, letter + " " + letter.split(",")[0], other))
    assert copies.similarity(one, one) == 1.0
    assert copies.similarity(one, two) >= copies.SIMILAR
    assert copies.similarity(one, copies.sketch(scan(changed))) > 0.5
    assert copies.similarity(one, three) < 0.1
    assert copies.similarity([], one) == 0.0
    assert copies.digest(scan(letter))[0] == copies.digest(scan(letter.upper() + " !!"))[0]
    assert copies.digest(scan(letter))[0] != copies.digest(scan(changed))[0]
