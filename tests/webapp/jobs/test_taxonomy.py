"""The taxonomy's files hold together, spellings find their skill, and the tables follow the files."""

from __future__ import annotations

import csv
import gzip
import html
import sys
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import example, given
from hypothesis import strategies as st

from marketplace.jobs.models import Category, Skill, SkillAlias, SkillRelation
from marketplace.jobs.taxonomy import Match, TaxonomyError, clean, fold, load, normalise, source
from marketplace.jobs.taxonomy.matching import LONGEST, UNKNOWN
from marketplace.jobs.taxonomy.source import COLUMNS, read

SKILLS = sorted(source().skills)


def skill(slug: str, rule: str = "exact") -> Match:
    return Match("skill", skill_slug=slug, rule=rule)


def attribute(name: str, value: str, rule: str = "exact") -> Match:
    return Match("attribute", attribute=name, value=value, rule=rule)


def test_there_are_23_fields_of_work_and_975_skills_and_each_field_has_at_least_nine() -> None:
    per_category = Counter(s.category for s in source().skills.values())
    assert (len(source().categories), len(source().skills)) == (23, 975)
    assert set(per_category) == set(source().categories)
    assert min(per_category.values()) >= 9


def test_the_page_about_the_taxonomy_counts_what_the_files_hold() -> None:
    page = (Path(__file__).parents[3] / "docs" / "taxonomy.md").read_text(encoding="utf-8")
    skills = source().skills.values()
    for category in source().categories.values():
        own = [s for s in skills if s.category == category.slug]
        assert f"| `{category.slug}` | {category.name} | {len(own)} | {sum(len(s.keys) for s in own)} |" in page
    relations = sum(len(s.relations) for s in skills)
    assert f"{len(skills)} skills, {len(source().by_key):,} spellings of them and {relations:,} relations" in page
    assert f"{sum(bool(s.onet) for s in skills)} skills carry the name of an O*NET 29.2 technology" in page


def test_every_skill_and_category_fits_its_column() -> None:
    fields = {
        model: {f.name: f.max_length for f in model._meta.get_fields() if hasattr(f, "max_length")}
        for model in (Category, Skill, SkillAlias)
    }
    for entry in source().skills.values():
        assert len(entry.slug) <= fields[Skill]["slug"]
        assert len(entry.name) <= fields[Skill]["name"]
        assert len(entry.onet) <= fields[Skill]["onet_name"]
        assert max(map(len, entry.keys)) <= fields[SkillAlias]["alias"]
    assert all(len(c.slug) <= fields[Category]["slug"] and len(c.name) <= fields[Category]["name"] for c in source().categories.values())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest sound taxonomy: two skills in one category."""
    (tmp_path / "skills").mkdir()
    (tmp_path / "categories.toml").write_text('[web]\nname = "Web"\naliases = ["Sites"]\n')
    (tmp_path / "attributes.toml").write_text('[device]\ntv = ["Television"]\n')
    write_skills(tmp_path, "css\tCSS\tcss3\t\t~html", "html\tHTML\thtml5\t\t")
    return tmp_path


def write_skills(folder: Path, *rows: str, category: str = "web") -> None:
    (folder / "skills" / f"{category}.tsv").write_text("\n".join(["\t".join(COLUMNS), *rows]) + "\n")


def test_a_sound_folder_is_read(folder: Path) -> None:
    found = read(folder)
    assert list(found.skills) == ["css", "html"]
    assert found.by_key == {"css": "css", "css3": "css", "html": "html", "html5": "html"}
    assert (found.category_of("sites"), found.category_of("SITES!"), found.category_of("shops")) == ("web", "web", None)
    assert found.attributes["device"]["television"] == "tv"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["css\tCSS\tC.S.S. 3\t\t", "html\tHTML\tcss3\t\t"], "html: 'css3' already stands for css"),
        (["css\tCSS\t\t\t~gone"], "css: related gone leads nowhere"),
        (["css\tCSS\t\t\t>css"], "css: broader css leads nowhere"),
        (["a\tA\t\t\t>b", "b\tB\t\t\t<c", "c\tC\t\t\t>a"], "a: is broader than itself"),
        (["css\tCSS\t\t\t~html:1.5", "html\tHTML\t\t\t"], "css: the weight of html is not in (0, 1]"),
        (["css\tCSS\t\t\t~html ~html:0.2", "html\tHTML\t\t\t"], "css: a relation stands twice"),
        (["css\tCSS\t\t\thtml", "html\tHTML\t\t\t"], "a relation is written >slug, <slug or ~slug, not 'html'"),
        (["css\tCSS\t\t\t~html:lots", "html\tHTML\t\t\t"], "'lots' is not a weight"),
        (["CSS!\tCSS\t\t\t"], "CSS!: slug or name is malformed"),
        (["css\tCSS\t\t\t", "css\tCSS again\t\t\t"], "css: the slug is used 2 times"),
        (["css\tCSS\t…\t\t"], "css: a spelling folds to nothing"),
        (["css\tCSS"], "5 columns, separated by tabs, are needed"),
        ([], "web: no skill belongs to this category"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused_with_the_fault(folder: Path, rows: list[str], fault: str) -> None:
    write_skills(folder, *rows)
    with pytest.raises(TaxonomyError) as refused:
        read(folder)
    assert fault in str(refused.value)


def test_a_skill_file_without_its_category_is_refused(folder: Path) -> None:
    write_skills(folder, "bow\tBow\t\t\t", category="archery")
    with pytest.raises(TaxonomyError, match="bow: unknown category archery"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C", skill("c")),
        ("c++", skill("cpp")),
        ("C#", skill("csharp")),
        ("c sharp", skill("csharp")),
        ("R", skill("r")),
        (".NET", skill("dotnet")),
        ("Net", UNKNOWN),
        ("ASP.NET Core", skill("asp-net")),
        ("Node.js", skill("node-js")),
        ("NodeJS", skill("node-js")),
        ("node js", skill("node-js")),
        ("REACT.JS", skill("react")),
        ("Back-End  Development", skill("back-end-development")),
        ("CI/CD", skill("ci-cd")),
        ("Q&amp;A", UNKNOWN),
        ("Software Architecture &amp; Design", skill("software-architecture")),
        ("Software Architecture &amp;amp; Design", skill("software-architecture")),
        ("Ｐｙｔｈｏｎ", skill("python")),
        ("\u200bPython\u00a0", skill("python")),
        ("Résumé", skill("resume-writing")),
        ("Angular 17", skill("angular", "version")),
        ("PostgreSQL 9.6", skill("postgresql", "version")),
        ("Search Engine Optimization (SEO)", skill("seo", "parenthesis")),
        ("Laravel Developer", skill("laravel", "tail")),
        ("Kubernetes Engineer", skill("kubernetes", "tail")),
        ("Logo Designs", skill("logo-design", "plural")),
        ("Elastic MapReduce (EMR)", UNKNOWN),
        ("Business with 10-99 Employees", attribute("company_size", "10-99", "pattern")),
        ("Very Small (1-9 employees)", attribute("company_size", "1-9", "pattern")),
        ("Enterprise (1,000+ employees)", attribute("company_size", "1000+", "pattern")),
        ("Small business", attribute("company_size", "10-99")),
        ("Retail &amp; Consumer Goods", attribute("industry", "consumer-goods")),
        ("English", attribute("language", "en")),
        ("Turkish", attribute("language", "tr")),
        ("Fluent in German", attribute("language", "de", "language")),
        ("Spanish (Native)", attribute("language", "es", "language")),
        ("Brazilian Portuguese", attribute("language", "pt", "language")),
        ("English C2", attribute("language", "en", "language")),
        ("English to French translation", skill("translation", "language")),
        ("Polish tutoring", skill("language-tutoring", "language")),
        ("Smartphone", attribute("device", "smartphone")),
        ("TV Set", attribute("device", "tv")),
        ("Entry level", attribute("experience", "entry")),
        ("5+ years experience", attribute("experience_years", "5", "pattern")),
        ("Game", attribute("deliverable", "game")),
        ("Long-term", attribute("engagement", "ongoing")),
        ("", UNKNOWN),
        (" \t…", UNKNOWN),
        ("x" * (LONGEST + 1), UNKNOWN),
    ],
)
def test_a_mention_finds_its_meaning(text: str, expected: Match) -> None:
    assert normalise(text) == expected


@given(st.text(max_size=400))
def test_any_text_at_all_gets_an_answer_that_agrees_with_its_kind(text: str) -> None:
    match = normalise(text)
    assert match == normalise(clean(text))
    if match.kind == "skill":
        assert match.skill_slug in source().skills
        assert (match.attribute, match.value) == (None, None)
    elif match.kind == "attribute":
        assert match.skill_slug is None
        assert match.attribute
        assert match.value
    else:
        assert match == UNKNOWN


@example("0 .0")
@example("._")
@example("ASP .NET")
@given(st.text(max_size=200) | st.text(alphabet="a0._ /&+#(ß\u200b", max_size=8))
def test_cleaning_and_folding_twice_is_cleaning_and_folding_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert fold(fold(text)) == fold(text)
    assert fold(clean(text)) == fold(text)


@given(st.sampled_from(SKILLS), st.data())
def test_every_spelling_of_a_skill_is_found_whatever_its_case_and_spacing(slug: str, data: st.DataObject) -> None:
    entry = source().skills[slug]
    spelling = data.draw(st.sampled_from([entry.name, *entry.aliases]))
    dressed = data.draw(
        st.sampled_from([str.upper, str.lower, str.title, html.escape, lambda s: f"  {s}\u00a0", lambda s: s.replace(" ", " \u200b ")])
    )(spelling)
    assert normalise(dressed) == skill(slug)


def mentions(path: Path, column: str, separator: str | None = ",") -> Iterator[tuple[str, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = html.unescape(row[column])
            for mention in text.split(separator) if separator else [text]:
                if mention.strip():
                    yield mention, row


@pytest.mark.shared
def test_nearly_all_skill_mentions_of_the_posts_it_was_measured_on_find_a_meaning(
    shared: Path, record_property: pytest.RecordProperty
) -> None:
    found = Counter(normalise(m).kind for m, _ in mentions(shared / "data/job_posts/posts_2024.csv", "skills"))
    share = 1 - found["unknown"] / found.total()
    sys.stdout.write(f"posts_2024: {share:.4f} of {found.total()} mentions ({dict(found)})\n")
    assert found.total() == 2969
    assert share >= 0.97


@pytest.mark.shared
def test_nine_in_ten_skill_mentions_of_files_it_never_saw_find_a_meaning(shared: Path) -> None:
    budgets = Counter(normalise(m).kind for m, _ in mentions(shared / "data/job_posts/budgets_software.csv", "Skills"))
    demand: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for mention, row in mentions(shared / "data/job_posts/skill_demand_2025.csv", "skill", None):
        kind = normalise(mention).kind
        names[kind] += 1
        demand[kind] += int(float(row["job_count"]))
    for name, found in (("budgets_software", budgets), ("skill_demand_2025 by posts", demand), ("skill_demand_2025 by names", names)):
        sys.stdout.write(f"{name}: {1 - found['unknown'] / found.total():.4f} of {found.total()}\n")
    assert 1 - budgets["unknown"] / budgets.total() >= 0.90
    assert 1 - demand["unknown"] / demand.total() >= 0.90
    assert 1 - names["unknown"] / names.total() >= 0.60


@pytest.mark.shared
def test_every_onet_name_is_a_technology_of_onet_29_2_to_the_letter(shared: Path) -> None:
    with gzip.open(shared / "data/onet/technology_skills.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        known = {row["Example"] for row in csv.DictReader(file, delimiter="\t")}
    named = {s.slug: s.onet for s in source().skills.values() if s.onet}
    assert {slug: name for slug, name in named.items() if name not in known} == {}
    assert len(named) >= 150


@pytest.mark.django_db
@pytest.mark.parity
def test_the_tables_follow_the_files_and_a_second_load_changes_nothing() -> None:
    first = load()
    assert [first[t].created for t in ("category", "skill")] == [23, 975]
    assert SkillAlias.objects.count() == first["alias"].created == len(source().by_key)
    assert SkillRelation.objects.count() == first["relation"].created == sum(len(s.relations) for s in source().skills.values())
    stamps = set(Skill.objects.values_list("pk", "updated_at"))
    second = load()
    assert all((t.created, t.updated, t.removed, t.left) == (0, 0, 0, 0) for t in second.values())
    assert set(Skill.objects.values_list("pk", "updated_at")) == stamps
    python = Skill.objects.get(slug="python")
    assert (python.name, python.category.slug, python.onet_name) == ("Python", "software-development", "Python")
    assert set(python.relations.values_list("kind", "target__slug", "weight")) == {
        ("broader", "programming", 1.0),
        ("related", "pandas", 0.6),
        ("related", "django", 0.6),
    }


@pytest.mark.django_db
@pytest.mark.parity
def test_loading_repairs_what_was_changed_keeps_ids_and_never_deletes_a_skill(folder: Path) -> None:
    load(read(folder))
    css = Skill.objects.get(slug="css")
    Skill.objects.filter(pk=css.pk).update(name="Broken")
    SkillAlias.objects.filter(alias="css3").delete()
    write_skills(folder, "css\tCSS\tcascading\t\t")
    report = load(read(folder))
    css.refresh_from_db()
    assert css.name == "CSS"
    assert set(css.aliases.values_list("alias", flat=True)) == {"css", "cascading"}
    assert Skill.objects.filter(slug="html").exists()
    assert (report["skill"].updated, report["skill"].left, report["relation"].removed) == (1, 1, 1)


@pytest.mark.django_db
def test_the_command_says_what_it_did() -> None:
    out = StringIO()
    call_command("load_taxonomy", stdout=out)
    assert [line.split()[:2] for line in out.getvalue().splitlines()][:2] == [["category", "23"], ["skill", "975"]]
    call_command("load_taxonomy", stdout=out)
    assert "  975 unchanged" in out.getvalue()
