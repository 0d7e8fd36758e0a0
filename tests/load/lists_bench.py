"""make bench NAME=lists: every list of the API on a medium market, with the plan of each of its statements.

For each GET route that answers with pages, asked by those who own most (the busiest client, freelancer and staff): how many statements it takes,
whether that number grows with the page (`limit` 5 and 50), the time, and what MariaDB's EXPLAIN says. A statement that reads a whole table of
more than SMALL rows, or sorts more than SMALL rows, is a fault; the program ends with 1 when there is one.

    python tests/load/lists_bench.py [--scale medium]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "lists"
RESULT = REPO / "var" / "bench" / "lists.json"
SEED = 7
#: rows below which reading a table whole is what an optimiser should do
SMALL = 2_000
#: tables that are small by nature (catalogue, rates, groups), whatever the market's size
CATALOGUE = ("jobs_category", "jobs_skill", "payments_feeschedule", "auth_", "django_")


def environment(stores: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **stores,
        "DJANGO_SETTINGS_MODULE": "tests.load.api_settings",
        "OPENLANCE_DB_NAME": "openlance_bench_lists",
        "OPENLANCE_SECRET_KEY": "only-for-the-bench",
        "OPENLANCE_VAR": str(HOME),
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
    }


def lay_market(env: dict[str, str], scale: str) -> None:
    import MySQLdb

    admin = MySQLdb.connect(user=env["OPENLANCE_DB_USER"], passwd=env["OPENLANCE_DB_PASSWORD"], unix_socket=env["OPENLANCE_DB_SOCKET"])
    admin.cursor().execute("CREATE DATABASE openlance_bench_lists CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    admin.close()
    for command in (["migrate"], ["load_taxonomy"], ["simulate", "--scale", scale, "--seed", str(SEED)], ["rebuild_search"]):
        print("·", *command, flush=True)
        subprocess.run(
            [sys.executable, "webapp/manage.py", *command],
            cwd=REPO,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )


def list_routes() -> list[str]:
    """Every GET route under /api/v1 whose documented answer has `results` and a `cursor`."""
    from drf_spectacular.generators import SchemaGenerator

    document = SchemaGenerator().get_schema(request=None, public=True)
    return sorted(
        path
        for path, operations in document["paths"].items()
        if any(p["name"] == "cursor" for p in operations.get("get", {}).get("parameters", []))
    )


def people() -> dict[str, Any]:
    """Those who own most: the client of the post with the most bids, the freelancers with the most bids and the most contracts, staff of every group."""
    from django.contrib.auth.models import Group
    from django.db.models import Count

    from marketplace.accounts.models import User
    from marketplace.contracts.models import Contract
    from marketplace.jobs.models import Job, Proposal

    busiest = Proposal.objects.values("freelancer").annotate(n=Count("id")).order_by("-n", "freelancer")[0]["freelancer"]
    worker = Contract.objects.values("freelancer").annotate(n=Count("id")).order_by("-n", "freelancer")[0]["freelancer"]
    client = Job.objects.order_by("-proposal_count", "id")[0].client_id
    staff = User.objects.create_user("bench-staff@example.org", "a long enough password", display_name="Staff", is_staff=True)
    staff.groups.set(Group.objects.all())
    found = {name: User.objects.get(pk=pk) for name, pk in (("bidder", busiest), ("worker", worker), ("client", client))}
    return {**found, "staff": staff}


def numbers_for(cast: dict[str, Any]) -> dict[str, list[int]]:
    """What to put into a route after a noun: rows with many others below them."""
    from marketplace.contracts.models import Contract
    from marketplace.jobs.models import Job, Proposal

    contract = Contract.objects.filter(freelancer=cast["worker"]).order_by("id").first()
    return {
        "jobs": [Job.objects.order_by("-proposal_count", "id")[0].pk],
        "contracts": [contract.pk if contract else 1],
        "proposals": [Proposal.objects.filter(freelancer=cast["bidder"]).order_by("id")[0].pk],
        "users": [cast["bidder"].pk, cast["client"].pk],
        "freelancers": [cast["bidder"].pk],
    }


def faults_of(statement: str, sizes: dict[str, int]) -> list[str]:
    """What EXPLAIN holds against a SELECT."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement.replace("%", "%%"))
        columns = [c[0] for c in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    found = []
    aliases = {alias or name: name for name, alias in re.findall(r"(?:FROM|JOIN) `(\w+)`(?: (\w+))?", statement)}
    for row in rows:
        table = aliases.get(str(row["table"]), str(row["table"]))
        whole = row["type"] in ("ALL", "index") and sizes.get(table, 0) > SMALL and not table.startswith(CATALOGUE)
        if whole and int(row["rows"] or 0) > SMALL:
            found.append(f"reads {table} whole ({row['type']}, about {row['rows']} rows)")
        if "filesort" in str(row["Extra"]) and int(row["rows"] or 0) > SMALL:
            found.append(f"sorts about {row['rows']} rows of {table}")
    return found


def ask(client: Any, path: str, token: str) -> tuple[int, Any, list[str], float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        begin = time.perf_counter()
        answer = client.get(path, HTTP_X_SESSION_TOKEN=token, HTTP_HOST="127.0.0.1")
        spent = time.perf_counter() - begin
    return answer.status_code, answer, [q["sql"] for q in captured.captured_queries if q["sql"].startswith("SELECT")], spent


def measure() -> list[dict[str, Any]]:
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'")
        tables = [row[0] for row in cursor.fetchall()]
        for table in tables:  # what a server that has run for a day knows about its tables
            cursor.execute(f"ANALYZE TABLE `{table}`")
            cursor.fetchall()
        sizes = {}
        for table in tables:
            cursor.execute(f"SELECT COUNT(*) FROM `{table}`")
            sizes[table] = cursor.fetchone()[0]
    cast = people()
    tokens = {}
    for name, user in cast.items():
        client = Client()
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        tokens[name] = str(client.session.session_key)
    numbers, client = numbers_for(cast), Client()
    results, faults, lists = [], 0, 0
    for route in list_routes():
        noun = re.search(r"(\w[\w-]*)/\{", route)
        for number in numbers.get(noun[1], [1]) if noun else [0]:
            path = re.sub(r"\{\w+\}", str(number), route)
            for who in cast:
                few = ask(client, f"{path}?limit=5", tokens[who])
                if few[0] != 200:
                    continue
                lists += 1
                many = ask(client, f"{path}?limit=50", tokens[who])
                times = [ask(client, f"{path}?limit=25", tokens[who])[3] for _ in range(3)]
                rows = len(many[1].json().get("results", []))
                wrong = [f for statement in many[2] for f in faults_of(statement, sizes)]
                if len(many[2]) > len(few[2]) and rows > 5:
                    wrong.append(f"{len(few[2])} statements for 5 rows, {len(many[2])} for {rows}")
                faults += len(wrong)
                print(
                    f"{path:44} {who:10} {rows:3} rows {len(many[2]):3} statements {1000 * median(times):7.1f} ms  {'; '.join(wrong) or 'ok'}",
                    flush=True,
                )
                results.append({"metric": f"{route} {who}", "value": round(1000 * median(times), 2), "unit": "ms", "faults": wrong})
    print(f"{lists} lists, {faults} faults (target 0); largest table {max(sizes.values()):,} rows")
    return [
        {"metric": "faults", "value": faults, "unit": "statements", "against": 0},
        {"metric": "lists", "value": lists, "unit": "lists"},
        {"metric": "largest_table_rows", "value": max(sizes.values()), "unit": "rows"},
        *results,
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="medium", choices=["small", "medium"])
    options = parser.parse_args()
    from infra.local import services

    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    stores = HOME / "stores"
    try:
        env = environment(services.start_mariadb(stores, durable=False) | services.start_redis(stores))
        os.environ.update(env)
        lay_market(env, options.scale)
        results = measure()
    finally:
        services.stop(stores)
    document = {
        "name": "lists",
        "command": "python tests/load/lists_bench.py " + " ".join(sys.argv[1:]),
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "results": results,
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if results[0]["value"] else 0


if __name__ == "__main__":
    sys.exit(main())
