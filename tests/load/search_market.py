"""The market of `make bench NAME=search`: open posts and freelancers written in bulk from a seed, and the judged queries over the posts.

A post's title is one of the alternate titles that O*NET lists for an occupation, its description the occupation's task statements between
sentences of our own, its skills those of our taxonomy that O*NET names for the occupation. Every third title of an occupation is kept out
of the posts: those are the judged queries. A post is relevant (2) when it is of the occupation that the query is a title of, and a little
(1) when O*NET calls the occupations closely related (tier Primary-Short). The rule knows nothing of words, so no ranking is built into it.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
SHARED = REPO.parent / "shared" / "data"
CLIENTS = 2_000
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
BATCH = 2_000

_FRAMES = (
    "{t}", "{t}", "{t} needed", "{t} for a small team", "Looking for a {t}", "Experienced {t} wanted", "{t}, part time", "Remote {t}",
    "{t} for {n} months", "Freelance {t} with {s}", "{t} ({s})", "Help from a {t} with our {x}",
)  # fmt: skip
_THINGS = ("launch", "website", "reports", "shop", "migration", "campaign", "data", "app", "customers", "audit")
_SENTENCES = (
    "We are a team of {n} and have the first version running.", "Please tell us about similar work that you have done.",
    "We agree on parts with their own price and start with a small one.", "You work from where you are; we meet once a week.",
    "Everything is documented, and somebody answers your questions the same day.", "The work starts in {n} days.",
)  # fmt: skip
_PEOPLE = ("{t}", "{t}", "Freelance {t}", "{t} with {s}", "Senior {t}", "{t} and consultant")
_PLACES = (
    ("KE", "Africa/Nairobi", "KES"), ("DE", "Europe/Berlin", "EUR"), ("US", "America/New_York", "USD"), ("US", "America/Los_Angeles", "USD"),
    ("IN", "Asia/Kolkata", "INR"), ("PH", "Asia/Manila", "PHP"), ("GB", "Europe/London", "GBP"), ("BR", "America/Sao_Paulo", "BRL"),
    ("JP", "Asia/Tokyo", "JPY"), ("PL", "Europe/Warsaw", "PLN"), ("NG", "Africa/Lagos", "USD"), ("AU", "Australia/Sydney", "AUD"),
)  # fmt: skip


@dataclass
class Occupation:
    """Titles that posts are written with, titles that are only asked for, and what else posts of it say."""

    code: str
    titles: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    skills: list[str] = field(default_factory=list)
    category: str = ""
    related: set[str] = field(default_factory=set)


def occupations(rng: random.Random) -> list[Occupation]:
    """From O*NET where it lies beside the project, else one for each skill of our taxonomy."""
    from marketplace.jobs.taxonomy.source import source

    taxonomy = source()
    found = _from_onet(rng, taxonomy) if (SHARED / "onet").is_dir() else _from_taxonomy(taxonomy)
    every = sorted(taxonomy.skills)
    for o in found:
        while len(o.skills) < 4:
            o.skills.append(rng.choice(every))
        counted: dict[str, int] = defaultdict(int)
        for skill in o.skills:
            counted[taxonomy.skills[skill].category] += 1
        o.category = max(sorted(counted), key=counted.__getitem__)
    return found


def _rows(name: str) -> Iterator[list[str]]:
    with gzip.open(SHARED / "onet" / f"{name}.tsv.gz", "rt", encoding="utf-8") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        yield from rows


def _from_onet(rng: random.Random, taxonomy: Any) -> list[Occupation]:
    from marketplace.jobs.taxonomy import normalise

    by_code: dict[str, Occupation] = {}
    owners: dict[str, set[str]] = defaultdict(set)
    titles: dict[str, list[str]] = defaultdict(list)
    for code, title, *_ in _rows("alternate_titles"):
        owners[title.casefold()].add(code)
        titles[code].append(title)
    for code in sorted(titles):
        known = sorted(set(titles[code]))
        rng.shuffle(known)
        o = by_code.setdefault(code, Occupation(code))
        for i, title in enumerate(known):
            # a title of two occupations has no one answer
            (o.asked if i % 3 == 0 and len(owners[title.casefold()]) == 1 else o.titles).append(title)
    for code, _, task, *_ in _rows("task_statements"):
        if code in by_code:
            by_code[code].tasks.append(task)
    for code, example, *_ in _rows("technology_skills"):
        slug = normalise(example).skill_slug
        if code in by_code and slug and slug not in by_code[code].skills:
            by_code[code].skills.append(slug)
    for code, other, tier, *_ in _rows("related_occupations"):
        if code in by_code and tier == "Primary-Short":
            by_code[code].related.add(other)
    return [o for o in by_code.values() if o.titles and o.tasks]


def _from_taxonomy(taxonomy: Any) -> list[Occupation]:
    found = []
    for slug, entry in sorted(taxonomy.skills.items()):
        names = [entry.name, *entry.aliases]
        written = [f"{n} {role}" for n in names[::2] for role in ("specialist", "developer", "consultant")]
        asked = [f"{n} {role}" for n in names[1::2] for role in ("expert", "freelancer")]
        related = {r.target for r in entry.relations}
        tasks = [f"Work on {n} with our team and document it." for n in names]
        found.append(Occupation(slug, written, asked, tasks, [slug, *sorted(related)], related=related))
    return found


@dataclass(frozen=True)
class Judged:
    """A query with the occupation it is a title of."""

    text: str
    code: str


class Market:
    """The rows of one size and seed; writing them takes minutes for 200,000."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed = rows, seed
        rng = random.Random(seed)
        self.occupations = occupations(rng)
        weights = [rng.paretovariate(1.5) for _ in self.occupations]
        #: the occupation of the i-th post, and of the i-th freelancer
        self.posts = rng.choices(range(len(self.occupations)), weights, k=rows)
        self.people = rng.choices(range(len(self.occupations)), weights, k=rows)
        self._rng = rng

    def judged(self, size: int) -> tuple[list[Judged], list[Judged]]:
        """(validation, held out): queries of occupations that have posts, each half of the occupations in one of the two."""
        rng = random.Random(self.seed + 1)
        there = set(self.posts)
        codes = [o for i, o in enumerate(self.occupations) if i in there and o.asked]
        rng.shuffle(codes)
        halves = codes[::2], codes[1::2]
        validation, held_out = ([Judged(rng.choice(o.asked), o.code) for o in rng.choices(half, k=size)] for half in halves)
        return validation, held_out

    def grades(self) -> dict[str, dict[str, int]]:
        """code → code of a post → how relevant."""
        return {o.code: {**dict.fromkeys(o.related, 1), o.code: 2} for o in self.occupations}

    def write(self) -> None:
        """Clients, posts and freelancers into an empty, migrated database with the taxonomy loaded."""
        self._ids()
        self._write_people()
        self._write_posts()

    def _ids(self) -> None:
        from marketplace.jobs.models import Category, Skill

        self.skill_ids = dict(Skill.objects.values_list("slug", "pk"))
        self.category_ids = dict(Category.objects.values_list("slug", "pk"))

    def _write_people(self) -> None:
        from marketplace.accounts.models import ClientProfile, FreelancerProfile, FreelancerSkill, User

        rng = random.Random(self.seed + 2)

        def users(first: int, count: int, kind: str) -> list[User]:
            made = []
            for i in range(first, first + count):
                country, zone, _ = _PLACES[i % len(_PLACES)]
                made.append(
                    User(pk=i, email=f"{kind}{i}@bench.example", password="!", display_name=f"{kind} {i}", country=country, time_zone=zone)
                )
            return made

        User.objects.bulk_create(users(1, CLIENTS, "client"), batch_size=BATCH)
        ClientProfile.objects.bulk_create(
            [ClientProfile(user_id=i, company_name=f"Company {i}", payment_verified=i % 3 == 0) for i in range(1, CLIENTS + 1)],
            batch_size=BATCH,
        )
        for start in range(0, self.rows, BATCH):
            some = range(start, min(start + BATCH, self.rows))
            User.objects.bulk_create(users(CLIENTS + 1 + some.start, len(some), "freelancer"))
            profiles, claims = [], []
            for i in some:
                o, pk = self.occupations[self.people[i]], CLIENTS + 1 + i
                skills = rng.sample(o.skills, min(len(o.skills), rng.randint(2, 6)))
                currency = _PLACES[pk % len(_PLACES)][2]
                profiles.append(FreelancerProfile(
                    pk=pk, user_id=pk, title=rng.choice(_PEOPLE).format(t=rng.choice(o.titles), s=skills[0])[:120],
                    overview=" ".join([*rng.sample(o.tasks, min(2, len(o.tasks))), "I like clear agreements and small steps."])[:1500],
                    hourly_rate_minor=rng.randint(10, 150) * (100 if currency != "JPY" else 150), currency=currency,
                    experience_level=rng.choice(("entry", "intermediate", "expert")), years_experience=rng.randint(0, 30),
                    availability=rng.choice(("available", "available", "partly", "unavailable")), hours_per_week=rng.choice((10, 20, 30, 40)),
                    languages=[{"code": "en", "level": "fluent"}], category_id=self.category_ids[o.category],
                    created_at=NOW - timedelta(days=rng.randint(1, 900)),
                ))  # fmt: skip
                claims += [
                    FreelancerSkill(freelancer_id=pk, skill_id=self.skill_ids[s], level=rng.randint(1, 5), years=rng.randint(0, 20))
                    for s in set(skills)
                ]
            FreelancerProfile.objects.bulk_create(profiles)
            FreelancerSkill.objects.bulk_create(claims, batch_size=5_000)

    def _write_posts(self) -> None:
        from marketplace.jobs.models import Job, JobSkill

        rng = random.Random(self.seed + 3)
        now = datetime.now(UTC)
        for start in range(0, self.rows, BATCH):
            posts, asked = [], []
            for i in range(start, min(start + BATCH, self.rows)):
                o = self.occupations[self.posts[i]]
                skills = rng.sample(o.skills, min(len(o.skills), rng.randint(2, 5)))
                words = {"t": rng.choice(o.titles), "s": skills[0].replace("-", " "), "n": rng.randint(2, 12), "x": rng.choice(_THINGS)}
                hourly, client = rng.random() < 0.4, rng.randint(1, CLIENTS)
                currency = _PLACES[client % len(_PLACES)][2]
                low = rng.randint(10, 80) * 100 if hourly else rng.randint(100, 5_000) * 100
                told = [*rng.sample(o.tasks, min(3, len(o.tasks))), *(s.format(**words) for s in rng.sample(_SENTENCES, 2))]
                rng.shuffle(told)
                opened = now - timedelta(minutes=rng.randint(1, 30 * 24 * 60))
                posts.append(Job(
                    pk=i + 1, client_id=client, state="open", title=rng.choice(_FRAMES).format(**words)[:200], description="\n".join(told),
                    category_id=self.category_ids[o.category], pricing="hourly" if hourly else "fixed", currency=currency,
                    budget_min_minor=low, budget_max_minor=low * rng.randint(1, 3), duration_days=rng.randint(3, 200),
                    experience_level=rng.choice(("entry", "intermediate", "expert", "")), location_country="", visibility="public",
                    proposal_count=rng.randint(0, 40), created_at=opened, opened_at=opened, expires_at=now + timedelta(days=31),
                ))  # fmt: skip
                asked += [JobSkill(job_id=i + 1, skill_id=self.skill_ids[s]) for s in set(skills)]
            Job.objects.bulk_create(posts)
            JobSkill.objects.bulk_create(asked, batch_size=5_000)


def post_titles() -> list[str]:
    """Titles of real posts where they lie beside the project: for the words of queries only."""
    path = SHARED / "job_posts" / "posts_2024.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["title"].removesuffix(" - Upwork").replace("&quot;", "").strip() for row in csv.DictReader(file)]
