"""Importing a CSV: every row accounted for, nothing twice, hostile files refused with a way out."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from marketplace.accounts.models import ClientProfile, User
from marketplace.core import clock
from marketplace.core.models import Delivery, Event
from marketplace.jobs import importing
from marketplace.jobs.models import Job, JobSkill
from marketplace.jobs.taxonomy import load

HEADER = "title,published,description,skills,category,country,budget,hourly_range_min,hourly_range_max"
GOOD = '"&quot;Scrape&quot; a site - Upwork",5/14/2024 1:23am,"Line one\n\nLine two","Python,   Scrapy, English, Business with 10-99 Employees, Zorbing",Data Extraction,Germany,"$1,234.50",,'
HOURLY = "Tune Postgres,5/15/2024 11:59pm,Slow queries,PostgreSQL,Boats,ITA,,$20.00,$35.50"

pytestmark = pytest.mark.django_db


@pytest.fixture
def terms(db: None) -> None:
    load()


class Importer:
    """Runs the command on the lines given and keeps what it said and rejected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "posts.csv"
        self.rejects = folder / "rejects.csv"

    def __call__(self, *lines: str, header: str = HEADER, encoding: str = "utf-8", **options: Any) -> str:
        self.file.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
        return self.again(**options)

    def again(self, **options: Any) -> str:
        out = StringIO()
        call_command("import_job_posts", str(self.file), **{"source": "feed", "rejects": self.rejects, "stdout": out, **options})
        return out.getvalue()

    def rejected(self) -> list[tuple[int, str]]:
        with self.rejects.open(encoding="utf-8", newline="") as file:
            return [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]


@pytest.fixture
def run(terms: None, tmp_path: Path) -> Importer:
    return Importer(tmp_path)


@pytest.mark.parity
def test_a_row_becomes_an_open_post_with_skills_attributes_and_exact_money(run: Importer) -> None:
    before = clock.now()
    out = run(GOOD)
    job = Job.objects.get()
    assert (job.title, job.description, job.state, job.category.slug) == ('"Scrape" a site', "Line one\n\nLine two", "open", "data")
    assert (job.pricing, job.currency, job.budget_min_minor, job.budget_max_minor) == ("fixed", "USD", 123450, 123450)
    assert set(job.job_skills.values_list("skill__slug", flat=True)) == {"python", "scrapy"}
    assert job.attributes == {"company_size": ["10-99"], "language": ["en"]}
    assert job.raw_skills == ["Zorbing"]
    assert (job.source, job.source_published_at.isoformat()) == ("feed", "2024-05-14T01:23:00+00:00")
    assert before <= job.opened_at <= clock.now()
    assert job.expires_at == job.opened_at + timedelta(days=settings.JOB_OPEN_DAYS)
    assert "1 imported + 0 unchanged + 0 rejected = 1 rows" in out
    assert "1 × Zorbing" in out


@pytest.mark.parity
def test_a_post_whose_category_is_unknown_goes_where_most_of_its_skills_belong(run: Importer) -> None:
    out = run(HOURLY)
    job = Job.objects.get()
    assert (job.category.slug, job.pricing, job.budget_min_minor, job.budget_max_minor) == ("data", "hourly", 2000, 3550)
    assert "1 × Boats" in out


@pytest.mark.parity
def test_each_post_is_written_and_published_by_its_event_so_that_search_and_outbox_learn_of_it(run: Importer) -> None:
    run(GOOD, HOURLY)
    for job in Job.objects.all():
        events = Event.objects.filter(aggregate_type="jobs.job", aggregate_id=job.pk).order_by("version")
        assert [(e.kind, e.actor_id, e.reason) for e in events] == [
            ("job.create", job.client_id, "import: feed"),
            ("job.publish", job.client_id, "import: feed"),
        ]
        assert Delivery.objects.filter(event=events[1], handler="jobs.search").count() == 1


@pytest.mark.parity
def test_one_client_nobody_can_sign_in_to_stands_for_each_source_and_country(run: Importer) -> None:
    run(GOOD, HOURLY, HOURLY.replace("Tune", "Mend"))
    clients = ClientProfile.objects.filter(import_source="feed").select_related("user")
    assert sorted(c.user.country for c in clients) == ["DE", "IT"]
    assert not any(c.user.has_usable_password() for c in clients)
    assert all(c.user.email.endswith("@import.invalid") for c in clients)
    assert Job.objects.filter(client__country="IT").count() == 2
    run.again(source="Feed!")
    run.again(source="feed?")
    assert ClientProfile.objects.exclude(import_source="").count() == 6


@pytest.mark.parity
def test_a_second_run_imports_nothing_and_leaves_the_posts_alone(run: Importer) -> None:
    run(GOOD, HOURLY)
    Job.objects.update(title="Changed here since")
    stamps = set(Job.objects.values_list("pk", "updated_at"))
    counts = (Event.objects.count(), JobSkill.objects.count(), User.objects.count())
    assert "0 imported + 2 unchanged + 0 rejected = 2 rows" in run.again()
    assert set(Job.objects.values_list("pk", "updated_at")) == stamps
    assert (Event.objects.count(), JobSkill.objects.count(), User.objects.count()) == counts


def test_a_row_added_later_is_the_only_one_that_is_imported(run: Importer) -> None:
    run(GOOD)
    assert "1 imported + 1 unchanged + 0 rejected = 2 rows" in run(GOOD, HOURLY)


@pytest.mark.parity
def test_each_bad_row_is_rejected_with_the_line_it_begins_in_and_the_good_ones_are_imported(run: Importer) -> None:
    out = run(
        GOOD,  # lines 2 to 4
        " - Upwork,5/14/2024 1:23am,No title,Python,SEO,Kenya,,,",
        "",
        "Bad price,5/14/2024 1:23am,x,Python,SEO,Kenya,lots,,",
        "Below zero,5/14/2024 1:23am,x,Python,SEO,Kenya,-$5,,",
        "Upside down,5/14/2024 1:23am,x,Python,SEO,Kenya,,$30,$20",
        "No such day,2/30/2024 1:23am,x,Python,SEO,Kenya,,,",
        GOOD,  # lines 11 to 13
        "Too short,5/14/2024 1:23am",
        "No home,5/14/2024 1:23am,x,Zorbing,Boats,Kenya,,,",
        HOURLY,
    )
    assert sorted(run.rejected()) == [
        (5, "the title is missing"),
        (7, "the price cannot be read: lots"),
        (8, "the price is negative: -$5"),
        (9, "the price's lower end is above its upper end"),
        (10, "the date cannot be read: 2/30/2024 1:23am"),
        (11, "the same post stands further up: line 2"),
        (14, "the row has not as many fields as the header: 2, not 9"),
        (15, "no category fits; add it to the mapping's [categories]: Boats"),
    ]
    assert "2 imported + 0 unchanged + 8 rejected = 10 rows" in out
    assert "0 imported + 2 unchanged + 8 rejected = 10 rows" in run.again()
    assert Job.objects.count() == 2


def test_rejected_rows_keep_their_fields_so_that_they_can_be_mended_and_imported(run: Importer) -> None:
    run("Bad price,5/14/2024 1:23am,x,Python,SEO,Kenya,lots,,")
    mended = run.rejects.read_text().replace("lots", "$12")
    run.file.write_text(mended)
    assert "1 imported + 0 unchanged + 0 rejected = 1 rows" in run.again(rejects=run.folder / "other.csv")


def test_batches_are_told_as_they_are_committed(run: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    out = run(*(HOURLY.replace("Tune", f"Tune {n}") for n in range(5)))
    assert [line for line in out.splitlines() if "rows read" in line] == [
        "2 rows read: 2 imported, 0 unchanged, 0 rejected",
        "4 rows read: 4 imported, 0 unchanged, 0 rejected",
        "5 rows read: 5 imported, 0 unchanged, 0 rejected",
    ]


def test_a_file_that_breaks_off_keeps_its_whole_batches_and_goes_on_when_it_is_mended(
    run: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    lines = [HOURLY.replace("Slow queries", f"{n} {'x' * 9000}") for n in range(3)]
    with pytest.raises(CommandError, match=r"is not utf-8-sig from line 4 on.*\[file\] encoding"):
        run(*lines, HOURLY.replace("Tune", "Größe"), encoding="latin-1")
    assert Job.objects.count() == 2
    out = run(*lines, HOURLY.replace("Tune", "Größe"))
    assert "2 imported + 2 unchanged + 0 rejected = 4 rows" in out


def test_a_file_in_another_encoding_with_other_columns_is_read_by_its_mapping(run: Importer) -> None:
    mapping = run.folder / "mapping.toml"
    mapping.write_text(
        '[columns]\ntitle = "Titel"\nskills = "Kenntnisse"\npricing = "Art"\nbudget = "Preis"\nlevel = "Stufe"\ncategory = "Fach"\ncountry = ""\n'
        '[categories]\n"Klempnerei" = "trades-local"\n'
        '[file]\nencoding = "cp1252"\ndelimiter = ";"\ncurrency = "EUR"\ndecimal_mark = ","\nskills_separator = "|"\n'
    )
    out = run(
        "Rohr für Größe 5;Plumbing|C#;Fixed price;1.234,50 €;Expert;Klempnerei",
        header="Titel;Kenntnisse;Art;Preis;Stufe;Fach",
        encoding="cp1252",
        mapping=mapping,
    )
    job = Job.objects.get()
    assert (job.title, job.currency, job.budget_min_minor, job.experience_level) == ("Rohr für Größe 5", "EUR", 123450, "expert")
    assert job.category.slug == "trades-local"
    assert set(job.job_skills.values_list("skill__slug", flat=True)) == {"plumbing", "csharp"}
    assert (job.client.country, job.source_published_at) == ("", None)
    assert "1 imported" in out


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(run: Importer) -> None:
    run.file.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{HOURLY}\r\n".encode())
    assert "1 imported + 0 unchanged + 0 rejected = 1 rows" in run.again()


def test_script_and_emoji_and_formulas_are_kept_as_the_text_they_are(run: Importer) -> None:
    hostile = "=cmd|' /C calc'!A0 <script>alert(1)</script> 🚀'; DROP TABLE jobs_job;--"
    run(f'"{hostile}",5/15/2024 11:59pm,"🚀\x00🚀",PostgreSQL,SEO,Kenya,,,')
    job = Job.objects.get()
    assert (job.title, job.description) == (hostile, "🚀 🚀")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: a header line is needed"),
        (b"\n\n", "is empty: a header line is needed"),
        (b"name,skills\na,b\n", 'the column "title" for title: set [columns] title = '),
        (f'{HEADER}\n"{"x" * 200_000}\n'.encode(), "Look for an unclosed quotation mark there"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "is not utf-8-sig"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(run: Importer, content: bytes, message: str) -> None:
    run.file.write_bytes(content)
    with pytest.raises(CommandError) as refused:
        run.again()
    assert message in str(refused.value)
    assert Job.objects.count() == 0


def test_an_absent_file_a_bad_source_and_rejects_over_the_input_are_refused(run: Importer) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run.again()
    run.file.write_text(f"{HEADER}\n{HOURLY}\n")
    with pytest.raises(CommandError, match="1 to 64 characters"):
        run.again(source="x" * 65)
    with pytest.raises(CommandError, match="another file than the one that is read"):
        run.again(rejects=run.file)
    assert run.file.read_text() == f"{HEADER}\n{HOURLY}\n"
    assert Job.objects.count() == 0


def test_without_the_taxonomy_nothing_is_imported(tmp_path: Path, db: None) -> None:
    with pytest.raises(CommandError, match="load_taxonomy first"):
        Importer(tmp_path)(HOURLY)


@pytest.mark.shared
@pytest.mark.parity
def test_all_500_real_posts_are_imported_once_and_found_unchanged_the_second_time(run: Importer, shared: Path) -> None:
    run.file = shared / "data/job_posts/posts_2024.csv"
    assert "500 imported + 0 unchanged + 0 rejected = 500 rows" in run.again()
    assert Job.objects.filter(state="open", source="feed").count() == 500
    assert Job.objects.filter(budget_min_minor=None).count() == 118
    assert Job.objects.filter(pricing="fixed").count() == 181
    assert Job.objects.filter(pricing="hourly", budget_min_minor__isnull=False).count() == 201
    assert not Job.objects.filter(title__contains="Upwork").exists()
    assert not Job.objects.filter(title__regex="&(quot|amp|#[0-9]+);").exists()
    assert "0 imported + 500 unchanged + 0 rejected = 500 rows" in run.again()
    assert Job.objects.count() == 500


@pytest.mark.shared
def test_another_real_layout_is_imported_by_a_mapping_with_every_row_accounted_for(run: Importer, shared: Path) -> None:
    mapping = run.folder / "mapping.toml"
    mapping.write_text('[columns]\ntitle = "Job Title"\npricing = "Hourly/Fixed"\nbudget = "Budget"\nlevel = "Level"\nskills = "Skills"\n')
    run.file = run.folder / "some.csv"
    with (shared / "data/job_posts/budgets_software.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[:301]
    with run.file.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    out = run.again(mapping=mapping)
    imported = Job.objects.count()
    assert f"{imported} imported + 0 unchanged + {len(run.rejected())} rejected = 300 rows" in out
    assert imported >= 290
    assert {reason.split(":")[0] for _, reason in run.rejected()} <= {
        "the same post stands further up",
        "no category fits; add it to the mapping's [categories]",
    }
