"""make bench NAME=api: ten endpoints of the product beside a bare REST framework view that returns one row, on the same server.

A sample market (small) on MariaDB, gunicorn with threads as in production, everybody signed in. Each endpoint and the bare view take turns
within each round, the same number of connections in a closed loop over HTTP; the figures are medians of the rounds.

    python tests/load/api_bench.py [--rounds 3] [--seconds 1.5] [--connections 4]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median, quantiles
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "api"
RESULT = REPO / "var" / "bench" / "api.json"
SEED = 7
TARGET_EACH, TARGET_MEDIAN = 0.25, 0.5


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def environment(stores: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **stores,
        "DJANGO_SETTINGS_MODULE": "tests.load.api_settings",
        "OPENLANCE_DB_NAME": "openlance_bench_api",
        "OPENLANCE_SECRET_KEY": "only-for-the-bench",
        "OPENLANCE_VAR": str(HOME),
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
    }


def lay_market(env: dict[str, str]) -> None:
    import MySQLdb

    admin = MySQLdb.connect(user=env["OPENLANCE_DB_USER"], passwd=env["OPENLANCE_DB_PASSWORD"], unix_socket=env["OPENLANCE_DB_SOCKET"])
    admin.cursor().execute("CREATE DATABASE openlance_bench_api CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    admin.close()
    for command in (["migrate"], ["load_taxonomy"], ["simulate", "--scale", "small", "--seed", str(SEED)], ["rebuild_search"]):
        print("·", *command, flush=True)
        subprocess.run(
            [sys.executable, "webapp/manage.py", *command],
            cwd=REPO,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )


def people_and_paths() -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """endpoint → (who asks, path), and the session token of each who asks."""
    import django

    django.setup()
    from django.conf import settings
    from django.db.models import Count
    from django.test import Client
    from django.utils import timezone

    from marketplace.accounts.models import User
    from marketplace.contracts.models import Contract
    from marketplace.jobs.models import Job, Proposal
    from marketplace.notifications.models import InboxItem

    contract = Contract.objects.annotate(n=Count("milestones")).order_by("-n", "id")[0]
    writer = Proposal.objects.values("freelancer").annotate(n=Count("id")).order_by("-n", "freelancer")[0]["freelancer"]
    inbox_job = Job.objects.order_by("-proposal_count", "id")[0]
    job = Job.objects.filter(state="open", visibility="public").order_by("-proposal_count", "id")[0]
    titles = Job.objects.filter(state="open", visibility="public").values_list("title", flat=True)
    words = Counter(w for title in titles for w in {*title.lower().split()})
    # the word that most open posts have in their titles: as many hits as can be
    spoken = min((w for w in words if len(w) > 3 and w.isalpha()), key=lambda w: (-words[w], w))
    InboxItem.objects.bulk_create(
        InboxItem(user_id=writer, event_id=10**9 + i, kind="bench", text="A notice.", created_at=timezone.now()) for i in range(60)
    )
    tokens = {}
    for pk in {contract.client_id, writer, inbox_job.client_id}:
        client = Client()
        client.force_login(User.objects.get(pk=pk), backend=settings.AUTHENTICATION_BACKENDS[0])
        tokens[str(pk)] = str(client.session.session_key)
    freelancer = str(writer)
    return {
        "job_list": (freelancer, "/api/v1/jobs"),
        "job": (freelancer, f"/api/v1/jobs/{job.pk}"),
        "search": (freelancer, f"/api/v1/jobs?query={spoken}"),
        "my_proposals": (freelancer, "/api/v1/me/proposals"),
        "proposal_inbox": (str(inbox_job.client_id), f"/api/v1/jobs/{inbox_job.pk}/proposals"),
        "contract": (str(contract.client_id), f"/api/v1/contracts/{contract.pk}"),
        "timeline": (str(contract.client_id), f"/api/v1/contracts/{contract.pk}/timeline"),
        "profile": (freelancer, f"/api/v1/freelancers/{contract.freelancer_id}"),
        "notifications": (freelancer, "/api/v1/me/inbox"),
        "me": (freelancer, "/api/v1/me"),
    }, tokens


def load(port: int, path: str, token: str, seconds: float, connections: int) -> list[float]:
    """Seconds of each answered request, by `connections` threads that ask again as soon as they are answered."""
    found: list[list[float]] = [[] for _ in range(connections)]
    end = time.perf_counter() + seconds
    wrong: list[str] = []

    def ask(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() < end:
            begin = time.perf_counter()
            connection.request("GET", path, headers={"X-Session-Token": token})
            answer = connection.getresponse()
            body = answer.read()
            mine.append(time.perf_counter() - begin)
            if answer.status != 200:
                wrong.append(f"{path}: {answer.status} {body[:300]!r}")
                return

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in found]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if wrong:
        raise SystemExit(wrong[0])
    return [s for mine in found for s in mine]


def measure(port: int, endpoints: dict[str, tuple[str, str]], tokens: dict[str, str], options: argparse.Namespace) -> list[dict[str, Any]]:
    results, ratios = [], {}
    for name, (who, path) in endpoints.items():
        ours: list[float] = []
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        load(port, path, tokens[who], 0.5, options.connections)
        for _ in range(options.rounds):
            bare = load(port, "/bare", tokens[who], options.seconds, options.connections)
            there = load(port, path, tokens[who], options.seconds, options.connections)
            rates["bare"].append(len(bare) / options.seconds)
            rates["ours"].append(len(there) / options.seconds)
            ours += there
        cuts = quantiles(ours, n=100)
        p50, p95, p99 = (round(1000 * cuts[i], 2) for i in (49, 94, 98))
        rate, against = round(median(rates["ours"]), 1), round(median(rates["bare"]), 1)
        ratios[name] = round(median(o / b for o, b in zip(rates["ours"], rates["bare"], strict=True)), 3)
        print(
            f"{name:15} p50 {p50:7.2f}  p95 {p95:7.2f}  p99 {p99:7.2f} ms   {rate:7.1f}/s   bare {against:7.1f}/s   ratio {ratios[name]:.3f}",
            flush=True,
        )
        results.append({"metric": f"{name}_per_second", "value": rate, "unit": "requests/s", "against": against, "ratio": ratios[name]})
        results += [{"metric": f"{name}_{n}_ms", "value": v, "unit": "ms"} for n, v in (("p50", p50), ("p95", p95), ("p99", p99))]
    low, middle = min(ratios.values()), round(median(ratios.values()), 3)
    print(f"ratio_median {middle} (target ≥ {TARGET_MEDIAN}), ratio_min {low} (target ≥ {TARGET_EACH})")
    return [
        {"metric": "ratio_median", "value": middle, "unit": "ratio", "against": TARGET_MEDIAN},
        {"metric": "ratio_min", "value": low, "unit": "ratio", "against": TARGET_EACH},
        *results,
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    from infra.local import services

    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    stores = HOME / "stores"
    server = None
    try:
        env = environment(services.start_mariadb(stores, durable=False) | services.start_redis(stores))
        os.environ.update(env)
        lay_market(env)
        endpoints, tokens = people_and_paths()
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--workers", "1", "--threads", "4", "--bind", f"127.0.0.1:{port}",
             "--log-level", "error", "--keep-alive", "30"], cwd=REPO, env=env, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        results = measure(port, endpoints, tokens, options)
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        services.stop(stores)
    document = {
        "name": "api",
        "command": "python tests/load/api_bench.py " + " ".join(sys.argv[1:]),
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "results": results,
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
