"""The storm on the whole house: the real tables, the real dbt project, a sample market that goes on living while rounds are killed.

On a MariaDB of its own, people of the sample market post, bid, hire, pay, take back and give up skills through the services; transactions stay
open for seconds or are undone; amounts move between two tables, without a trace in the stamps unless --stamped; columns are added. Meanwhile rounds of the
one-off command and of the resident loop are killed at random times, and a reader opens every publication and looks for halves:

 - each deal is a post and two bids made in one transaction, and what its three rows hold together never changes;
 - each trader's list of skills is exchanged skill by skill, by a delete and an insert in one transaction, and keeps its length;
 - what went into holds and came out of them is what lies in them, by currency, and is the same in every publication's relation that tells it;
 - every published fact leads to facts that are published with it, and all tables were read by one run.

When all is quiet, every extracted table is compared with the source row by row by a reader of its own, the extraction proves itself, all models
of the work file equal those of a whole build in an empty file by the checksums of their rows, and the publication equals these and the source.

    python -m tests.pipelines.market_storm [--seconds 600] [--seed N] [--scale tiny] [--stamped] [--again]

It works in var/market-storm, which stays when something was wrong; --again begins anew on the database that is there, with an empty platform.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from pipelines.scale_out.comparison import ROWS

from . import storming
from .storming import REPO

#: What a deal's post and its two bids hold together, in minor units.
DEAL = 1_000_000
MARK = "Stormy"
TRADERS = 12
#: (what, SQL that counts the rows that lead nowhere)
_KEYS = {
    "bids to jobs": "SELECT count(*) FROM metrics.proposals ANTI JOIN metrics.jobs USING (job_id)",
    "contracts to jobs": "SELECT count(*) FROM metrics.contracts ANTI JOIN metrics.jobs USING (job_id)",
    "milestones to contracts": "SELECT count(*) FROM metrics.milestones ANTI JOIN metrics.contracts USING (contract_id)",
    "disputes to milestones": "SELECT count(*) FROM metrics.disputes ANTI JOIN metrics.milestones USING (milestone_id)",
    "client's jobs to jobs": "SELECT count(*) FROM client.jobs FULL JOIN metrics.jobs USING (job_id) WHERE client.jobs.client_id IS NULL"
    " OR metrics.jobs.client_id IS DISTINCT FROM client.jobs.client_id",
    "freelancer's bids to bids": "SELECT count(*) FROM freelancer.proposals AS ours FULL JOIN metrics.proposals AS theirs USING (proposal_id)"
    " WHERE ours.job_id IS DISTINCT FROM theirs.job_id OR ours.state IS DISTINCT FROM theirs.state",
    "jobs that count other bids than there are": "SELECT count(*) FROM client.jobs LEFT JOIN (SELECT job_id, count(*) AS bids FROM freelancer.proposals"
    " GROUP BY job_id) USING (job_id) WHERE proposals IS DISTINCT FROM coalesce(bids, 0)",
    "tables read by another run": 'SELECT count(*) FROM (SELECT max(run_seq) AS run FROM _meta.source_run GROUP BY "table")'
    " WHERE run <> (SELECT run_seq FROM _meta.publish)",
    "deals whose three rows hold another sum": f"SELECT count(*) FROM client.jobs AS jobs JOIN (SELECT job_id, sum(amount_minor) AS bid FROM freelancer.proposals"
    f" GROUP BY job_id) USING (job_id) WHERE title LIKE '{MARK} %' AND budget_max_minor + bid <> {DEAL}",
    "deals without two bids": f"SELECT count(*) FROM client.jobs WHERE title LIKE '{MARK} %' AND proposals <> 2",
    "flows that differ between relations": """
        SELECT count(*) FROM (SELECT currency, sum(funded_minor), sum(released_minor), sum(refunded_minor) FROM admin.gsv_daily GROUP BY ALL) AS daily(c, f, r, b)
        FULL JOIN (SELECT currency, sum(amount_minor) FILTER (flow = 'funded'), sum(amount_minor) FILTER (flow = 'released'),
            coalesce(sum(amount_minor) FILTER (flow = 'refunded'), 0) FROM metrics.money GROUP BY ALL) AS money(c, f, r, b) USING (c, f, r, b)
        WHERE daily.f IS NULL OR money.f IS NULL
    """,
}
#: currency → what went into holds, less what came out, less what lies in them
_HELD = """
    SELECT currency, sum(net_minor) - sum(released_minor) - coalesce(any_value(held), 0) FROM admin.gsv_daily
    LEFT JOIN (SELECT currency, sum(held_minor) AS held FROM metrics.milestones GROUP BY currency) USING (currency) GROUP BY currency ORDER BY currency
"""


class Refused(Exception):
    """The house said no to an act, as it may."""


@dataclass(kw_only=True)
class MarketStorm(storming.Storming):
    """One storm. `env` is that of the house's processes; Django is set up in this one."""

    refused: Counter[str] = field(default_factory=Counter)
    _free: list[tuple[int, list[int]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _traders: dict[int, int] = field(default_factory=dict)
    _held: dict[str, int] = field(default_factory=dict)

    def people(self) -> None:
        """Who acts: every client and freelancer of the market; the traders are freelancers whose skills are exchanged."""
        from marketplace.accounts.models import ClientProfile, FreelancerProfile, FreelancerSkill, User
        from marketplace.core import clock
        from marketplace.jobs.models import Category, Skill
        from marketplace.jobs.services import credit_rule_publish

        # a month's credits would be gone after a minute of storm
        free = [{"up_to_usd_minor": None, "credits": 0}]
        credit_rule_publish(version=f"storm {time.time_ns()}", active_from=clock.now(), monthly=60, bands=free, hourly=0, unknown=0)
        self.clients = list(User.objects.filter(pk__in=ClientProfile.objects.values("user_id"), is_active=True).order_by("pk"))
        profiles = FreelancerProfile.objects.filter(user__is_active=True).order_by("pk")
        self.freelancers = list(User.objects.filter(pk__in=profiles.values("user_id")).order_by("pk"))
        self.categories = list(Category.objects.order_by("pk").values_list("slug", flat=True))
        self.skills = list(Skill.objects.order_by("pk").values_list("pk", flat=True)[:400])
        for profile in profiles:
            held = FreelancerSkill.objects.filter(freelancer=profile).count()
            if held >= 2 and len(self._traders) < TRADERS:
                self._traders[profile.pk] = held
        self._trader_users = dict(profiles.filter(pk__in=self._traders).values_list("user_id", "pk"))

    # ----------------------------------------------------------------------- writers

    def _deal(self, random_: random.Random) -> None:
        from django.db import transaction

        from marketplace.jobs import services as jobs

        client, first, second = random_.choice(self.clients), *random_.sample(self.freelancers, 2)
        words = " ".join(f"{random_.choice('bcdfgklmnprstvz')}{random_.choice('aeiou')}{random_.randrange(10**6):06}" for _ in range(40))
        budget, one = random_.randrange(100_000, 500_000), random_.randrange(100_000, 400_000)
        with transaction.atomic():
            job = jobs.job_create(
                actor=client,
                title=f"{MARK} {words[:40]}",
                description=words,
                category=random_.choice(self.categories),
                pricing="fixed",
                budget_min_minor=1000,
                budget_max_minor=budget,
                confirm_duplicate=True,
            )
            self._pause(random_, 0, 0, 0.3)
            if jobs.job_publish(actor=client, job_id=job.pk, confirm_duplicate=True).state != "open":
                raise Refused("post held")
            bids = []
            for bidder, amount in ((first, one), (second, DEAL - budget - one)):
                bid = jobs.proposal_submit(
                    actor=bidder, job_id=job.pk, cover_letter=words[::-1], amount_minor=amount, currency="USD", delivery_days=9
                )
                bids.append(bid.pk)
                self._pause(random_, 0, 0, 0, 0.3, 2, 6)
            self._perhaps_undo(random_)
        with self._lock:
            self._free.append((job.pk, bids))

    def _shift(self, random_: random.Random) -> None:
        """Money moves between a post and one of its bids; in a quiet storm often no stamp tells of it, or only that of one of the two."""
        from django.db import connection, transaction

        with self._lock:
            chosen = random_.choice(self._free) if self._free else None
        if chosen is None:
            raise Refused("no deal yet")
        job_id, bids = chosen
        amount = random_.randrange(-500, 501)
        quiet = [random_.choice(("", ", updated_at = updated_at")) if self.quiet else "" for _ in range(2)]
        acts = [
            (f"UPDATE jobs_job SET budget_max_minor = budget_max_minor - %s{quiet[0]} WHERE id = %s", [amount, job_id]),
            (f"UPDATE jobs_proposal SET amount_minor = amount_minor + %s{quiet[1]} WHERE id = %s", [amount, random_.choice(bids)]),
        ]
        random_.shuffle(acts)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(*acts[0])
            self._pause(random_, 0, 0, 0, 0.05, 1, 5)
            cursor.execute(*acts[1])
            self._perhaps_undo(random_)

    def _bulk(self, random_: random.Random) -> None:
        """Many rows in one statement that leaves the stamps as they are."""
        from django.db import connection

        with self._lock:
            jobs = [job for job, _ in self._free]
        if not jobs:
            raise Refused("no deal yet")
        chosen = ", ".join(str(job) for job in random_.sample(jobs, min(len(jobs), 20)))
        moved = random_.randrange(1, 100)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE jobs_job JOIN jobs_proposal ON jobs_proposal.job_id = jobs_job.id JOIN (SELECT job_id, min(id) AS id FROM jobs_proposal GROUP BY job_id)"
                " AS first ON first.id = jobs_proposal.id SET jobs_job.budget_max_minor = jobs_job.budget_max_minor - %s,"
                " jobs_proposal.amount_minor = jobs_proposal.amount_minor + %s, jobs_job.updated_at = jobs_job.updated_at,"
                f" jobs_proposal.updated_at = jobs_proposal.updated_at WHERE jobs_job.id IN ({chosen})",
                [moved, moved],
            )

    def _hire(self, random_: random.Random) -> None:
        """A deal of its own whose money goes into holds and out of them, to the freelancer or back to the client."""
        from marketplace.contracts import services as contracts
        from marketplace.jobs import services as jobs

        client, freelancer = random_.choice(self.clients), random_.choice(self.freelancers)
        words = " ".join(f"work{random_.randrange(10**9):09}" for _ in range(30))
        job = jobs.job_create(
            actor=client,
            title=words[:60],
            description=words,
            category=random_.choice(self.categories),
            pricing="fixed",
            confirm_duplicate=True,
        )
        if jobs.job_publish(actor=client, job_id=job.pk, confirm_duplicate=True).state != "open":
            raise Refused("post held")
        parts = [
            {"title": f"Part {n}", "amount_minor": random_.randrange(1_000, 40_000), "due_in_days": 9 * n, "acceptance": []} for n in (1, 2)
        ]
        total = sum(int(str(part["amount_minor"])) for part in parts)
        bid = jobs.proposal_submit(
            actor=freelancer,
            job_id=job.pk,
            cover_letter=words[::-1],
            amount_minor=total,
            currency="USD",
            delivery_days=20,
            milestones=parts,
        )
        offer = contracts.offer_make(actor=client, proposal_id=bid.pk)
        contract = contracts.offer_accept(actor=freelancer, contract_id=offer.pk)
        for milestone in contract.milestones.order_by("position"):
            contracts.milestone_fund(
                actor=client,
                milestone_id=milestone.pk,
                provider="sandbox",
                method={"token": "tok_visa"},
                idempotency_key=f"storm-{milestone.pk}",
            )
            milestone.refresh_from_db()
            if milestone.state != "funded":
                raise Refused(f"payment {milestone.state}")
            self._pause(random_, 0, 0, 0.2)
            if random_.random() < 0.3:
                contracts.milestone_refund(actor=freelancer, milestone_id=milestone.pk, reason="Not needed any more.")
                continue
            contracts.milestone_start(actor=freelancer, milestone_id=milestone.pk)
            contracts.milestone_submit(actor=freelancer, milestone_id=milestone.pk, note=words[:50])
            if random_.random() < 0.8:
                contracts.milestone_approve(actor=client, milestone_id=milestone.pk)

    def _exchange(self, random_: random.Random) -> None:
        """A trader gives up a skill and takes another: a hard delete and an insert."""
        from django.db import transaction

        from marketplace.accounts.models import FreelancerSkill

        trader = random_.choice(list(self._traders))
        with transaction.atomic():
            held = list(FreelancerSkill.objects.select_for_update().filter(freelancer_id=trader).order_by("pk"))
            old, has = random_.choice(held), {claim.skill_id for claim in held}
            new = random_.choice([skill for skill in self.skills if skill not in has])
            level = {
                f.attname: getattr(old, f.attname) for f in old._meta.concrete_fields if f.attname not in ("id", "skill_id", "updated_at")
            }
            old.delete()
            self._pause(random_, 0, 0, 0.1, 1)
            FreelancerSkill.objects.create(**(level | {"skill_id": new}))
            self._perhaps_undo(random_)

    def _look_around(self, random_: random.Random) -> None:
        """Rows that come and go at once: marks on jobs, searches."""
        from django.db import transaction

        from marketplace.accounts.models import FreelancerProfile
        from marketplace.core import clock

        profile = random_.choice(list(self._traders))
        with transaction.atomic():
            FreelancerProfile.objects.filter(pk=profile).update(overview=f"Seen {clock.now():%H:%M:%S} 🦉 \x1f \n{random_.random()}")
            self._pause(random_, 0, 0.5)
            self._perhaps_undo(random_)

    def _pause(self, random_: random.Random, *seconds: float) -> None:
        self.over.wait(random_.choice(seconds))

    def _perhaps_undo(self, random_: random.Random) -> None:
        if random_.random() < 0.1:
            raise Refused("undone")

    def write(self, number: int) -> None:
        """One writer, until the storm is over."""
        from django.db import OperationalError, connection, connections

        from marketplace.core.errors import DomainError

        random_ = random.Random(f"{self.name}/{number}")
        acts = (
            [self._deal] * 4 + [self._shift] * 5 + [self._hire] * 2 + [self._exchange] * 3 + [self._look_around] + [self._bulk] * self.quiet
        )
        try:
            while not self.over.is_set():
                act = random_.choice(acts)
                name = act.__name__.strip("_")
                try:
                    act(random_)
                    self.done[name] += 1
                except Refused as why:
                    self.refused[f"{name}: {why}"] += 1
                except DomainError as why:
                    self.refused[f"{name}: {getattr(why, 'code', why)}"] += 1
                except OperationalError as conflict:
                    if conflict.args[0] not in (1205, 1213, 1020, 1467):
                        raise
                    self.refused[f"{name}: {conflict.args[0]}"] += 1
                    connection.close()
                self.over.wait(random_.random() * 0.2)
        finally:
            connections.close_all()

    def add_columns(self) -> None:
        """A nullable column now and then, on tables that grow at that moment."""
        from django.db import OperationalError, connection, connections

        random_ = random.Random(f"{self.name}/columns")
        tables = ("jobs_job", "jobs_proposal", "accounts_freelancerskill", "payments_posting", "core_event", "contracts_milestone")
        while not self.over.wait(random_.uniform(5, 25)):
            with suppress(OperationalError), connection.cursor() as cursor:
                cursor.execute("SET SESSION lock_wait_timeout = 5")
                cursor.execute(f"ALTER TABLE {random_.choice(tables)} ADD COLUMN storm_{time.time_ns()} VARCHAR(9) NULL")
                self.done["column"] += 1
        connections.close_all()

    # ----------------------------------------------------------------------- what must hold

    def consistent(self, db: duckdb.DuckDBPyConnection, name: str) -> int:
        """Every fact leads somewhere, holds add up, deals and lists are whole. Returns the deals that are shown."""
        for what, sql in _KEYS.items():
            [(wrong,)] = db.execute(sql).fetchall()
            if wrong:
                self.failures.append(f"{name} shows {wrong} {what}")
        held = dict(db.execute(_HELD).fetchall())
        # bonuses are released without a hold: the sample market's history has some, the storm makes none
        self._held = self._held or held
        if held != self._held:
            self.failures.append(f"{name}: holds do not add up: {held}, at first {self._held}")
        lengths = dict(db.execute("SELECT freelancer_id, len(skills) FROM science.feat_freelancers").fetchall())
        for user, profile in self._trader_users.items():
            if lengths.get(user) != self._traders[profile]:
                self.failures.append(f"{name}: freelancer {user} has {lengths.get(user)} skills instead of {self._traders[profile]}")
        [(deals,)] = db.execute(f"SELECT count(*) FROM client.jobs WHERE title LIKE '{MARK} %'").fetchall()
        return int(deals)

    def blow(self, random_: random.Random) -> None:
        """The one-off command or the resident loop, which never ends by itself and is always killed."""
        if random_.random() < 0.5:
            super().blow(random_)
        else:  # a few rounds get through
            seconds = random_.uniform(0.2, 2) * self.length
            self.command("-m", "pipelines.loop", "--interval", "0.5", kill_after=seconds, alone=random_.random() < 0.2)

    # ----------------------------------------------------------------------- the end

    def compare(self) -> None:
        """Source, raw log, all models, and the publication, each by its rows."""
        self._equal_source()
        self._equal_whole_build()
        self._equal_marts()
        # last, because a proof is a run that the marts would have to tell of
        self.command("-m", "pipelines.extract.run", "--prove")
        repaired = re.findall(r"(\w+) +\d+ rows +\d+ deletes +([1-9]\d*) repaired", (self.folder / "rounds.log").read_text())
        if repaired:
            self.failures.append(f"the proof had to mend {repaired}")

    def _equal_source(self) -> None:
        """Each extracted table, row by row, read by nothing of the extraction's own code but the contracts."""
        from django.db import connection

        from pipelines.extract.contracts import load_all
        from pipelines.extract.types import hash_key

        connection.close()
        with duckdb.connect(str(self.folder / "work" / "warehouse.duckdb"), read_only=True) as work, connection.cursor() as cursor:
            work.execute("SET TimeZone = 'UTC'")
            for contract in load_all():
                columns = list(contract.columns)
                cursor.execute(f"SELECT {', '.join(f'`{c}`' for c in columns)} FROM `{contract.table}`")
                hashed = [str(contract.columns[c].type) == "hashed" for c in columns]
                wanted = Counter(
                    tuple(
                        hashlib.sha256(f"{hash_key()}\x1f{value}".encode()).hexdigest() if secret and value is not None else _plain(value)
                        for value, secret in zip(row, hashed, strict=True)
                    )
                    for row in cursor.fetchall()
                )
                names = ", ".join(f'"{c}"' for c in columns)
                rows = work.execute(
                    f'SELECT {names} FROM (SELECT * FROM raw."{contract.table}" QUALIFY row_number() OVER (PARTITION BY "{contract.key}"'
                    " ORDER BY _run_seq DESC) = 1) WHERE _op = 'u'"
                ).fetchall()
                held = Counter(tuple(_plain(value) for value in row) for row in rows)
                self.done["tables compared"] += 1
                self.done["rows compared"] += len(rows)
                if held != wanted:
                    only = list((held - wanted).elements())[:1] + list((wanted - held).elements())[:1]
                    self.failures.append(f"raw.{contract.table} has {len(rows)} rows and differs from the source: {only}")

    def _equal_whole_build(self) -> None:
        """Every table of the work file beside one that is built whole from the same log in an empty file."""
        home = self.folder / "whole"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        (home / "raw").symlink_to(self.folder / "raw")
        build = (
            "from pipelines import paths, transform; from pipelines.extract.contracts import load_all; from pipelines.extract.log import Log, expose\n"
            "expose(Log(paths.raw()), load_all(), paths.warehouse())\nfor line in transform.build(full_refresh=True): print(line)"
        )
        if self.command("-c", build, env={"OPENLANCE_VAR": str(home)}):
            return
        here, whole = (_checksums(root / "work" / "warehouse.duckdb") for root in (self.folder, home))
        self.done["models compared"] += len(here)
        differing = [name for name in sorted(here.keys() | whole.keys()) if here.get(name) != whole.get(name)]
        if differing:
            self.failures.append(f"not what a whole build makes: {', '.join(differing)}")

    def _equal_marts(self) -> None:
        """The publication beside the work file, and beside the source's own sums."""
        from django.db import connection

        from pipelines import marts_reader

        here = _checksums(self.folder / "work" / "warehouse.duckdb")
        current = marts_reader.current(self.folder / "published")
        shown = _checksums(current.path)
        differing = [name for name, told in shown.items() if not name.startswith("_meta.") and here.get(name) != told]
        if differing:
            self.failures.append(f"published otherwise than built: {', '.join(differing)}")
        with marts_reader.connect(self.folder / "published") as db, connection.cursor() as cursor:
            for what, source, marts in (
                ("jobs", "SELECT count(*) FROM jobs_job", "SELECT count(*) FROM metrics.jobs"),
                (
                    "bids",
                    "SELECT count(*), sum(amount_minor) FROM jobs_proposal",
                    "SELECT count(*), sum(amount_minor) FROM freelancer.proposals",
                ),
                ("contracts", "SELECT count(*) FROM contracts_contract", "SELECT count(*) FROM metrics.contracts"),
                ("milestones", "SELECT count(*) FROM contracts_milestone", "SELECT count(*) FROM metrics.milestones"),
                (
                    "funded money",
                    "SELECT p.currency, sum(p.amount) FROM payments_posting p JOIN payments_account d ON d.id = p.debit_account_id JOIN payments_account c"
                    " ON c.id = p.credit_account_id JOIN payments_entry e ON e.id = p.entry_id WHERE d.kind = 'wallet' AND c.kind = 'hold' AND e.kind <> 'roll'"
                    " GROUP BY 1 ORDER BY 1",
                    "SELECT currency, sum(funded_minor) FROM admin.gsv_daily GROUP BY 1 HAVING sum(funded_minor) > 0 ORDER BY 1",
                ),
            ):
                cursor.execute(source)
                wanted = [tuple(int(v) if isinstance(v, Decimal) else v for v in row) for row in cursor.fetchall()]
                found = [tuple(row) for row in db.execute(marts).fetchall()]
                if found != wanted:
                    self.failures.append(f"{what}: the marts say {found}, the source {wanted}")

    def story(self) -> str:
        """What happened, in a few lines."""
        no = ", ".join(f"{count} × {what}" for what, count in sorted(self.refused.items()))
        return f"{super().story()}, with {list(self.seen.values())} deals\nrefused or undone: {no}"


def _plain(value: Any) -> Any:
    """One value as both drivers would give it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value


def _checksums(file: Path) -> dict[str, tuple[int, int]]:
    """Rows and checksum of every table and published view of a file; not of raw and staging views, which hold nothing."""
    with duckdb.connect(str(file), read_only=True) as db:
        db.execute("SET TimeZone = 'UTC'")
        found = db.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('raw', '_build', '_meta', 'main')"
            " AND NOT ends_with(table_name, '__left')"
        ).fetchall()
        told = {}
        for schema, name in found:
            counted = f'SELECT count(*), coalesce(sum(hash(r)::HUGEINT), 0) FROM (SELECT {ROWS} FROM "{schema}"."{name}") r'
            [(rows, checksum)] = db.execute(counted).fetchall()
            told[f"{schema}.{name}"] = (int(rows), int(checksum))
        return told


@contextmanager
def house(home: Path, seed: int, scale: str, *, again: bool) -> Iterator[dict[str, str]]:
    """A MariaDB with a sample market, and the environment of its processes, which is this process's too."""
    from infra.local import services

    shutil.rmtree(home / "var" if again else home, ignore_errors=True)
    (home / "var").mkdir(parents=True)
    try:
        server = services.start_mariadb(home / "db", durable=False)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENLANCE_")}
        env = kept | server | storming.ENVIRONMENT | {
            "OPENLANCE_DB_NAME": "storm",
            "OPENLANCE_VAR": str(home / "var"),
            "OPENLANCE_HASH_KEY": f"storm {seed}",
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
        }  # fmt: skip
        if not again:
            _make_market(home, env, seed, scale)
        for name in [name for name in os.environ if name.startswith("OPENLANCE_")]:
            del os.environ[name]
        os.environ.update(env)
        sys.path.insert(0, str(REPO / "webapp"))
        yield env
    finally:
        services.stop(home / "db")


def _make_market(home: Path, env: dict[str, str], seed: int, scale: str) -> None:
    client, create = shutil.which("mariadb") or "mysql", "CREATE DATABASE storm CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    subprocess.run([client, "--no-defaults", "-uroot", f"-S{env['OPENLANCE_DB_SOCKET']}", "-e", create], check=True)
    for command in (["migrate", "--no-input"], ["load_taxonomy"], ["simulate", "--scale", scale, "--seed", str(seed)]):
        with (home / "made.log").open("a") as log:
            subprocess.run(
                [sys.executable, "webapp/manage.py", *command], cwd=REPO, env=env, stdout=log, stderr=subprocess.STDOUT, check=True
            )


def main() -> int:
    """The command; returns 1 when something was wrong."""
    parser = storming.parser(__doc__, seconds=600)
    parser.add_argument("--scale", default="tiny")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    home, began = REPO / "var" / "market-storm", time.monotonic()
    storming.begin(options.seed)
    with house(home, options.seed, options.scale, again=options.again) as env:
        import django

        django.setup()
        storm = MarketStorm(folder=home / "var", seed=options.seed, env=env, quiet=not options.stamped)
        storm.people()
        made = time.monotonic()
        storm.rage(options.seconds)
        raged = time.monotonic()
        storm.settle()
    spent = f"{made - began:.0f} s to make the market, {raged - made:.0f} s of storm, {time.monotonic() - raged:.0f} s of comparing"
    return storming.verdict(
        storm, home, f"raw = source, marts = a whole build = publication = source, and every publication was whole\n{spent}"
    )


if __name__ == "__main__":
    sys.exit(main())
