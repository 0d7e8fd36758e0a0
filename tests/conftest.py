"""What every suite shares: the small cast, and a database that real threads and processes can see.

The cast: alice is a client, bob a freelancer, charlie must see nothing, sam is staff.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import laid_schema

REPO = Path(__file__).resolve().parents[1]
#: real posts that lie beside the project; the sample house holds them when they are there
POSTS = REPO.parent / "shared" / "data" / "job_posts" / "posts_2024.csv"


@pytest.fixture(scope="session")
def schema_laid(request: pytest.FixtureRequest, django_db_modify_db_settings: None) -> laid_schema.Laid:
    """The test database as it was laid from a dump, or the leave to migrate it and to leave the dump for the others."""
    from django.conf import settings

    reused = request.config.getoption("reuse_db") and not request.config.getoption("create_db")
    return laid_schema.Laid(settings.DATABASES["default"], reused=reused)


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest, schema_laid: laid_schema.Laid) -> bool:
    """What was laid is what Django finds."""
    return bool(request.config.getoption("reuse_db")) or schema_laid.done


@pytest.fixture(scope="session")
def django_db_createdb(request: pytest.FixtureRequest, schema_laid: laid_schema.Laid) -> bool:
    """And does not make anew."""
    return bool(request.config.getoption("create_db")) and not schema_laid.done


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, schema_laid: laid_schema.Laid) -> None:
    """The test database, then the dump for whoever waits for it."""
    schema_laid.hand_on()


@pytest.fixture
def committed_db(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[None]:
    """A database whose commits are real, for threads, processes and triggers; emptied afterwards. Rows are numbered from 1."""
    from django.db import connection

    sqlite = connection.vendor == "sqlite"
    request.applymarker(pytest.mark.django_db(transaction=True, reset_sequences=sqlite))
    request.getfixturevalue("_django_db_helper")
    if not sqlite:
        _number_from_one()
    yield
    if sqlite:
        _without_triggers()
    else:
        _truncate()


def _without_triggers() -> None:
    """Django's flush issues DELETE, which the append-only triggers refuse: they are taken away for it, and laid again by its post_migrate."""
    from django.db import connection

    from marketplace.core import triggers

    with connection.cursor() as cursor:
        for name in triggers.existing():
            cursor.execute(f"DROP TRIGGER {name}")


def _number_from_one() -> None:
    """Only those tables that have numbered rows: Django would alter all."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1")
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE `{table}` AUTO_INCREMENT = 1")


def _truncate() -> None:
    """Tables with rows are made empty without asking their triggers, which may stay; Django's flush then finds nothing to delete."""
    from django.db import connection

    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM `{table}`)" for table in tables))
        held = [table for (table,) in cursor.fetchall()]
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for table in held:
            cursor.execute(f"TRUNCATE TABLE `{table}`")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")


def _user(email: str, name: str, **extra: Any) -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_user(email, "correct horse battery", display_name=name, **extra)


@pytest.fixture
def alice(db: None) -> Any:
    """A client."""
    from marketplace.accounts.models import ClientProfile

    user = _user("alice@example.org", "Alice", country="DE")
    ClientProfile.objects.create(user=user, company_name="Alice & Co")
    return user


@pytest.fixture
def bob(db: None) -> Any:
    """A freelancer."""
    from marketplace.accounts.models import FreelancerProfile

    user = _user("bob@example.org", "Bob", country="KE")
    FreelancerProfile.objects.create(user=user, title="Python developer", hourly_rate_minor=4500, currency="USD")
    return user


@pytest.fixture
def charlie(db: None) -> Any:
    """A stranger with both profiles: must see nothing of alice's and bob's."""
    from marketplace.accounts.models import ClientProfile, FreelancerProfile

    user = _user("charlie@example.org", "Charlie")
    ClientProfile.objects.create(user=user)
    FreelancerProfile.objects.create(user=user, title="Somebody else")
    return user


@pytest.fixture
def staff(db: None) -> Callable[[str], Any]:
    """staff(group): somebody of that staff group, with what the group may from the first migrate on."""

    def of(group: str) -> Any:
        from django.contrib.auth.models import Group

        from marketplace.accounts.groups import lay_after_migrate

        lay_after_migrate(None, using="default")  # a flushed database has lost them
        user = _user(f"{group}@staff.example.org", group.capitalize(), is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        return user

    return of


@pytest.fixture
def sam(staff: Callable[[str], Any]) -> Any:
    """Staff who supports and moderates, and sees nobody's money."""
    from django.contrib.auth.models import Group

    user = staff("support")
    user.groups.add(Group.objects.get(name="moderator"))
    return user


@pytest.fixture
def shared() -> Path:
    """The folder with real data that nobody here wrote; it lies beside the project and is not part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is absent: the real data it holds is not part of the project")
    return folder


@pytest.fixture(scope="session")
def sample_house() -> Path:
    """A run-time folder with everything a demo makes on SQLite: market, raw log, warehouse, published marts, champion, bundle.

    Made by the real commands, once for the code it depends on, and shared by the suites that only read it.
    """
    return build_sample_house()


def build_sample_house() -> Path:
    home = Path(os.environ.get("OPENLANCE_TEST_HOUSE", REPO / "var" / "test" / "house"))
    sources = [REPO / "webapp" / "marketplace", REPO / "pipelines", REPO / "dbt_project", REPO / "ml", REPO / "tests" / "house_people.py"]
    wanted, stamp = _digest(sources), home / "made-from"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        env = sample_house_env(home)
        manage = [sys.executable, "webapp/manage.py"]
        for command in (
            [*manage, "migrate", "--no-input"],
            [*manage, "load_taxonomy"],
            [*manage, "simulate", "--scale", "small", "--seed", "7"],
            [*manage, "ensure_signins"],
            *([[*manage, "import_job_posts", str(POSTS)]] if POSTS.is_file() else []),
            [sys.executable, "-m", "tests.house_people"],
            [sys.executable, "-m", "pipelines.run"],
            [sys.executable, "-m", "ml.matching.train"],
            [sys.executable, "-m", "ml.matching.export"],
            [*manage, "load_bundle", "matching"],
        ):
            done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
            (home / "made.log").open("a").write(f"$ {' '.join(command[1:])}\n{done.stdout}{done.stderr}\n")
            assert done.returncode == 0, f"{' '.join(command[1:])} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        stamp.write_text(wanted)
    return home


def sample_house_env(home: Path) -> dict[str, str]:
    """The environment of a process that works in the sample house."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("OPENLANCE_DB_")},
        "OPENLANCE_VAR": str(home),
        "OPENLANCE_SQLITE": str(home / "db.sqlite3"),
        "OPENLANCE_WAREHOUSE": str(home / "work" / "warehouse.duckdb"),
        "OPENLANCE_DEMO_PASSWORD": "only-for-tests-1234",
        "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _digest(folders: list[Path]) -> str:
    total = hashlib.sha256()
    found = [p for f in folders for p in ([f] if f.is_file() else f.rglob("*"))]
    for file in sorted(p for p in found if p.suffix in (".py", ".sql", ".yml", ".yaml", ".csv", ".tsv", ".toml")):
        if "target" not in file.parts:
            total.update(str(file).encode() + file.read_bytes())
    return total.hexdigest()
