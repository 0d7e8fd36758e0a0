"""Whole O*NET and ESCO files become skills beside ours: every row accounted for, twice once, and what is ours stays ours.

The rows of ESCO are from its classification (European Commission, CC BY 4.0), those marked as wrong are ours.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketplace.jobs.models import Skill, SkillAlias, SkillOrigin, SkillRelation, SkillSource
from marketplace.jobs.selectors import skills_matching
from marketplace.jobs.taxonomy import load, read_foreign, source, taxonomy_import

URI = "http://data.europa.eu/esco/skill/"
OCCUPATION = "http://data.europa.eu/esco/occupation/"
HEADER = "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,scopeNote,definition,inScheme,description"
CRIMINOLOGY, SUPPLIES, GEOMATICS, PHOTOGRAMMETRY, PYTHON = (
    "03f922b0-d518-457d-8f2c-80252a714be1",
    "020b3c27-bae1-4b85-9d6f-eccee0f5ed99",
    "023f4870-b417-4bd2-b0ae-78e61587c79f",
    "0435fe96-523f-4888-a76f-22df1e92d9c4",
    "ccd0a1d9-afda-43d9-b901-96344886e14d",
)


def esco_row(uuid: str, label: str, *others: str) -> str:
    spellings = '"' + "\n".join(others) + '"' if others else ""
    return f'KnowledgeSkillCompetence,{URI}{uuid},knowledge,cross-sector,{label},{spellings},,released,2024-01-16T15:00:00Z,,,,"About it,\nin two lines."'


ROWS = [
    esco_row(CRIMINOLOGY, "criminology", "research into law breaking behaviour", "study of criminal behaviour", "criminology"),
    # its last spelling is the name of another skill, and stays that one's
    esco_row(SUPPLIES, "manage supplies", "plan supplies", "supply chain management", "supplies management", "photogrammetry"),
    esco_row(GEOMATICS, "geomatics", "geomatics", "the study of Earth’s surface"),
    esco_row(PHOTOGRAMMETRY, "photogrammetry", "photographic surveying", "photogrammetry"),
    esco_row(PYTHON, "Python (computer programming)", "Python 3000"),
]
FILES = {
    "broaderRelationsSkillPillar_en.csv": [
        "conceptType,conceptUri,broaderType,broaderUri",
        f"KnowledgeSkillCompetence,{URI}{PHOTOGRAMMETRY},KnowledgeSkillCompetence,{URI}{GEOMATICS}",
        f"KnowledgeSkillCompetence,{URI}{CRIMINOLOGY},SkillGroup,http://data.europa.eu/esco/isced-f/0312",
    ],
    "skillSkillRelations_en.csv": [
        "originalSkillUri,originalSkillType,relationType,relatedSkillType,relatedSkillUri",
        f"{URI}{GEOMATICS},knowledge,optional,knowledge,{URI}{PYTHON}",
    ],
    "occupations_en.csv": [
        "conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,regulatedProfessionNote,scopeNote,definition,inScheme,description,code",
        f"Occupation,{OCCUPATION}criminologist,2632,criminologist,,,released,,,,,,,2632.3",
        f"Occupation,{OCCUPATION}surveyor,C2165,surveyor,,,released,,,,,,,2165.1",
    ],
    "occupationSkillRelations_en.csv": [
        "occupationUri,relationType,skillType,skillUri",
        f"{OCCUPATION}criminologist,essential,knowledge,{URI}{CRIMINOLOGY}",
        f"{OCCUPATION}surveyor,essential,knowledge,{URI}{GEOMATICS}",
    ],
}


@pytest.fixture
def esco(tmp_path: Path) -> Path:
    """A folder as ESCO's download unpacks."""
    folder = tmp_path / "esco"
    folder.mkdir()
    write(folder, ROWS)
    for name, lines in FILES.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write(folder: Path, rows: list[str]) -> None:
    (folder / "skills_en.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command("import_taxonomy", *map(str, arguments), stdout=out)
    return out.getvalue()


def tables() -> Iterator[set[tuple[Any, ...]]]:
    for model in (Skill, SkillAlias, SkillRelation, SkillOrigin):
        yield set(model._default_manager.values_list())


@pytest.mark.django_db
@pytest.mark.shared
def test_the_whole_of_onet_comes_in_once_and_leaves_ours_as_it_was(shared: Path, tmp_path: Path) -> None:
    load()
    ours = {s.slug: (s.name, s.category_id) for s in Skill.objects.all()}
    spellings = set(SkillAlias.objects.values_list("alias", "skill__slug"))
    told = run("onet", shared / "data/onet", "--rejects", tmp_path / "rejects.csv")
    with gzip.open(shared / "data/onet/technology_skills.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        names = {row["Example"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert "32627 rows read, 1 left out" in told
    assert "technology_skills.tsv.gz, line 24115: the name has 111 characters, 100 are the most" in told
    assert (tmp_path / "rejects.csv").read_text().splitlines()[1].startswith("technology_skills.tsv.gz,24115,")
    assert {s.slug: (s.name, s.category_id) for s in Skill.objects.filter(slug__in=ours)} == ours
    assert spellings <= set(SkillAlias.objects.values_list("alias", "skill__slug"))
    # every technology stands for one skill; those that our files name by their O*NET name stand for ours
    assert len(names) - 5 <= SkillOrigin.objects.count() < len(names)
    checked = {s.slug for s in source().skills.values() if s.onet}
    assert set(SkillOrigin.objects.filter(skill__slug__in=checked).values_list("skill__slug", flat=True)) == checked
    assert Skill.objects.count() > 9_000
    assert [s.name for s in skills_matching("AdSense Tra")] == ["AdSense Tracker"]
    kept = SkillSource.objects.get()
    assert (kept.slug, kept.release, kept.licence) == ("onet", "29.2", "CC BY 4.0")
    assert "O*NET 29.2 Database" in kept.attribution and kept.attribution in told
    before = list(tables())
    again = run("onet", shared / "data/onet", "--rejects", tmp_path / "rejects.csv")
    assert "0 created, 0 joined to ours" in again and "spellings: 0 new, 0 removed; relations: 0 new, 0 removed" in again
    assert list(tables()) == before
    report = load()
    assert all((t.created, t.updated, t.removed, t.left) == (0, 0, 0, 0) for t in report.values())
    assert list(tables()) == before


@pytest.mark.django_db
@pytest.mark.parity
def test_esco_joins_what_is_ours_and_brings_the_rest_with_spellings_and_relations(esco: Path) -> None:
    load()
    ours = SkillAlias.objects.get(alias="supplychainmanagement").skill if SkillAlias.objects.filter(alias="supplychainmanagement") else None
    told = run("esco", esco, "--release", "1.2.1")
    assert "4 created, 1 joined to ours, 0 known, 0 renamed" in told and "version 1.2.1" in told
    by_key = {key.removeprefix(URI): skill for key, skill in SkillOrigin.objects.values_list("key", "skill__slug")}
    assert by_key[PYTHON] == "python" and by_key[CRIMINOLOGY] == "criminology" and by_key[SUPPLIES] == "manage-supplies"
    fields = dict(Skill.objects.filter(slug__in=by_key.values()).values_list("slug", "category__slug"))
    # by the occupations that use it, else by what it is part of, else where nothing says more
    assert (fields["criminology"], fields["geomatics"], fields["photogrammetry"], fields["manage-supplies"]) == (
        "science-research",
        "engineering-architecture",
        "engineering-architecture",
        "business-consulting",
    )
    assert set(Skill.objects.get(slug="criminology").aliases.values_list("alias", "origin__slug")) == {
        ("criminology", "esco"),
        ("researchintolawbreakingbehaviour", "esco"),
        ("studyofcriminalbehaviour", "esco"),
    }
    assert SkillAlias.objects.get(alias="python3000").skill.slug == "python"
    assert SkillAlias.objects.get(alias="photogrammetry").skill.slug == "photogrammetry"
    assert SkillAlias.objects.get(alias="supplychainmanagement").skill == (ours or Skill.objects.get(slug="manage-supplies"))
    assert set(SkillRelation.objects.filter(origin__slug="esco").values_list("source__slug", "kind", "target__slug", "weight")) == {
        ("photogrammetry", "broader", "geomatics", 1.0),
        ("geomatics", "related", "python", 0.3),
    }
    before = list(tables())
    assert "0 created, 0 joined to ours, 5 known" in run("esco", esco)
    assert list(tables()) == before
    assert all((t.created, t.updated, t.removed, t.left) == (0, 0, 0, 0) for t in load().values())
    assert list(tables()) == before


@pytest.mark.django_db
def test_a_later_release_renames_and_takes_back_only_what_it_brought(esco: Path) -> None:
    load()
    run("esco", esco)
    Skill.objects.filter(slug="geomatics").update(name="Geomatics & Surveying", renamed_at=datetime(2026, 11, 1, tzinfo=UTC))
    rows = [
        esco_row(CRIMINOLOGY, "criminology and penology", "study of criminal behaviour"),
        esco_row(GEOMATICS, "geomatics science", "geomatics"),
        esco_row(PYTHON, "Python (programming language)"),
    ]
    write(esco, rows)
    told = run("esco", esco)
    assert "0 created, 0 joined to ours, 3 known, 1 renamed" in told
    names = dict(Skill.objects.values_list("slug", "name"))
    assert (names["criminology"], names["geomatics"], names["python"]) == ("criminology and penology", "Geomatics & Surveying", "Python")
    kept = set(SkillAlias.objects.filter(origin__slug="esco").values_list("alias", flat=True))
    assert {"criminologyandpenology", "studyofcriminalbehaviour", "geomaticsscience"} <= kept
    assert not kept & {"researchintolawbreakingbehaviour", "criminology", "python3000", "photographicsurveying"}
    assert not SkillRelation.objects.filter(origin__slug="esco", kind="broader").exists()
    assert Skill.objects.filter(slug="photogrammetry").exists()
    assert SkillAlias.objects.filter(alias="python", origin=None, skill__slug="python").exists()


@pytest.mark.django_db
def test_every_wrong_row_is_told_with_its_line_and_the_others_come_in(esco: Path, tmp_path: Path) -> None:
    load()
    run("esco", esco)
    before = set(SkillAlias.objects.values_list("alias", flat=True))
    long = "x" * 101
    write(
        esco,
        [
            *ROWS[:2],
            "too,short",
            esco_row("0000", '"  "'),
            esco_row("1111", long),
            esco_row(CRIMINOLOGY, "criminology again"),
            esco_row("2222", "measure trees"),
        ],
    )
    with (esco / "skillSkillRelations_en.csv").open("a") as file:
        file.write(f"{URI}{CRIMINOLOGY},knowledge,vital,knowledge,{URI}{SUPPLIES}\n")
    with (esco / "broaderRelationsSkillPillar_en.csv").open("a") as file:
        file.write(f"KnowledgeSkillCompetence,{URI}{CRIMINOLOGY},KnowledgeSkillCompetence,{URI}{CRIMINOLOGY}\n")
    with (esco / "occupationSkillRelations_en.csv").open("a") as file:
        file.write(f"{OCCUPATION}nobody,essential,knowledge,{URI}{CRIMINOLOGY}\n")
    found = read_foreign("esco", esco)
    lines = (esco / "skills_en.csv").read_text().split("\n")
    told = {(f.file, f.line): f.reason for f in found.faults}
    assert len(told) == 7
    assert told["skills_en.csv", lines.index("too,short") + 1] == "2 columns where the first line has 13"
    at = next(n for n, line in enumerate(lines, 1) if "0000" in line)
    assert told["skills_en.csv", at] == "it has no name"
    assert told["skills_en.csv", at + 2] == "the name has 101 characters, 100 are the most"
    assert told["skills_en.csv", at + 4] == f"{URI}{CRIMINOLOGY} stands in the file twice"
    assert told["skillSkillRelations_en.csv", 3] == "'vital' is no relation; known are essential, optional"
    assert told["broaderRelationsSkillPillar_en.csv", 4] == f"{URI}{CRIMINOLOGY} is broader than itself"
    assert told["occupationSkillRelations_en.csv", 4] == f"{OCCUPATION}nobody is in no file of occupations"
    out = run("esco", esco, "--rejects", tmp_path / "rejects.csv")
    assert "7 left out" in out and "1 created" in out
    with (tmp_path / "rejects.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7
    # what a file with wrong rows does not say is not taken away
    assert before < set(SkillAlias.objects.values_list("alias", flat=True))


@pytest.mark.django_db
def test_what_our_files_say_later_is_ours_again(esco: Path) -> None:
    load()
    run("esco", esco)
    imported = SkillAlias.objects.get(alias="python3000")
    SkillAlias.objects.filter(pk=imported.pk).update(skill=Skill.objects.get(slug="criminology"))
    claimed = SkillAlias.objects.filter(alias="python")
    claimed.update(origin=SkillSource.objects.get(), skill=Skill.objects.get(slug="criminology"))
    load()
    assert claimed.get().origin is None and claimed.get().skill.slug == "python"
    assert SkillAlias.objects.get(alias="python3000").skill.slug == "criminology"


def test_a_run_that_broke_off_is_completed_by_the_next(esco: Path, committed_db: None) -> None:
    load()

    class BrokenOff(Exception):
        pass

    def stop(report: Any) -> None:
        raise BrokenOff

    foreign = read_foreign("esco", esco)
    with pytest.raises(BrokenOff):
        taxonomy_import(foreign, progress=stop)
    assert SkillOrigin.objects.count() == 5 and SkillSource.objects.get().imported_at is None
    report = taxonomy_import(foreign)
    assert (report.unchanged, report.created, report.relations) == (5, 0, 2)
    assert SkillSource.objects.get().imported_at is not None


@pytest.mark.django_db
def test_what_cannot_be_read_is_refused_whole_and_says_what_to_do(tmp_path: Path, esco: Path) -> None:
    with pytest.raises(CommandError, match="load_taxonomy"):
        run("esco", esco)
    load()
    before = list(tables())
    with pytest.raises(CommandError, match="no such file or folder"):
        run("esco", tmp_path / "nowhere")
    with pytest.raises(CommandError, match="no file technology_skills; give the folder as it was downloaded"):
        run("onet", esco)
    (esco / "skills_en.csv").write_text("conceptUri,preferredLabel\n")
    with pytest.raises(CommandError, match="the column altLabels is missing; it has conceptUri, preferredLabel"):
        run("esco", esco)
    (esco / "skills_en.csv").write_bytes(f"{HEADER}\n{esco_row('1', 'x')}\n".encode().replace(b"x,", b"\xe9\xff,"))
    with pytest.raises(CommandError, match="not a text file in UTF-8"):
        run("esco", esco)
    assert list(tables()) == before
