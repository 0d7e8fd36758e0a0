"""make bench NAME=search: both searches over HTTP at a fixed rate, how well they rank, and how fast a published post is found.

As many open posts as freelancers (see search_market.py) in a MariaDB of the bench's own, gunicorn with two workers, everybody signed in, facets
with every search. Requests leave at their scheduled times (open loop): one that has to wait for another counts from when it should have left.
`ours_over_index` compares with the same queries and filters asked of the bare index in this process. NDCG@10 is that of the held-out half of the
judged queries, beside plain BM25 over one field with the same words; weights were chosen on the other half (--tune). `lag` is from the commit of
`job_publish` to the post being found, through the real Celery worker.

    python tests/load/search_bench.py [--rows 200000] [--seconds 60] [--rate 20] [--queries 200] [--seed 7] [--reuse] [--tune]
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import platform
import queue
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, quantiles
from typing import Any
from urllib.parse import urlencode

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "search"
RESULT = REPO / "var" / "bench" / "search.json"
DATABASE = "openlance_bench_search"
THREADS = 32
WARM_SECONDS = 5
TARGET_P95, TARGET_LAG = 60.0, 2_000.0


def environment(stores: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **stores,
        "DJANGO_SETTINGS_MODULE": "tests.load.api_settings",
        "OPENLANCE_DB_NAME": DATABASE,
        "OPENLANCE_SECRET_KEY": "only-for-the-bench",
        "OPENLANCE_VAR": str(HOME),
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
    }


def create_database(env: dict[str, str]) -> None:
    import MySQLdb

    admin = MySQLdb.connect(user=env["OPENLANCE_DB_USER"], passwd=env["OPENLANCE_DB_PASSWORD"], unix_socket=env["OPENLANCE_DB_SOCKET"])
    admin.cursor().execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    admin.close()
    for command in (["migrate"], ["load_taxonomy"]):
        subprocess.run([sys.executable, "webapp/manage.py", *command], cwd=REPO, env=env, check=True, stdout=subprocess.DEVNULL)


def step(what: str, work: Callable[[], Any]) -> Any:
    begin = time.perf_counter()
    found = work()
    print(f"· {what}: {time.perf_counter() - begin:.1f} s", flush=True)
    return found


# --- what is asked ----------------------------------------------------------------------------------------------------


def questions(market: Any, count: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """(jobs or freelancers, what is asked): words as people type them, half of them with one to three filters."""
    from marketplace.jobs.taxonomy.source import source
    from tests.load.search_market import post_titles

    rng = random.Random(seed + 10)
    skills = sorted(source().skills)
    real = [t for t in post_titles() if 2 <= len(t.split()) <= 6 and len(t) <= 100]
    titles = [t for o in market.occupations for t in o.titles if len(t) <= 60]

    def words() -> str:
        kind = rng.random()
        if kind < 0.3:
            return source().skills[rng.choice(skills)].name
        if kind < 0.4:
            return f"{source().skills[rng.choice(skills)].name} {rng.choice(('developer', 'expert', 'consultant'))}"
        if kind < 0.5 and real:
            return rng.choice(real)
        if kind < 0.55:
            return rng.choice(("C#", "Go", "R", ".NET", "C++ (foo", "node.js", "ux/ui"))
        if kind < 0.6:
            title = rng.choice(titles)
            at = rng.randrange(len(title))
            return title[:at] + title[at + 1 :]  # a slip of the finger
        return "" if kind < 0.65 else rng.choice(titles)

    common: dict[str, Callable[[], dict[str, Any]]] = {
        "category": lambda: {"category": rng.choice(market.occupations).category},
        "skills": lambda: {"skills": ",".join(rng.choice(market.occupations).skills[:2]), "skills_mode": rng.choice(("all", "any"))},
        "level": lambda: {"level": rng.choice(("entry", "intermediate", "expert"))},
        "country": lambda: {"country": rng.choice(("DE", "US", "KE", "IN"))},
        "overlap": lambda: {
            "overlap_hours": rng.randint(3, 7),
            "time_zone": rng.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo")),
        },
    }
    for_jobs: dict[str, Callable[[], dict[str, Any]]] = {
        "budget": lambda: {"budget_min": rng.randint(50, 900) * 100, "currency": rng.choice(("USD", "EUR", "KES"))},
        "pricing": lambda: {"pricing": rng.choice(("fixed", "hourly"))},
        "posted": lambda: {"posted_within_days": rng.choice((1, 3, 7, 14))},
        "bids": lambda: {"proposals_max": rng.choice((5, 10, 20))},
        "verified": lambda: {"payment_verified": "true"},
    }
    for_people: dict[str, Callable[[], dict[str, Any]]] = {
        "rate": lambda: {"rate_max": rng.randint(20, 120) * 100, "currency": rng.choice(("USD", "EUR"))},
        "years": lambda: {"years_min": rng.choice((2, 5, 10))},
        "availability": lambda: {"availability": "available"},
    }
    found = []
    for i in range(count):
        where, more = ("jobs", for_jobs) if i % 2 == 0 else ("freelancers", for_people)
        asked: dict[str, Any] = {"query": words()[:200], "facets": "all"}
        if rng.random() < 0.5:
            filters = common | more
            for name in rng.sample(sorted(filters), rng.randint(1, 3)):
                asked |= filters[name]()
        if rng.random() < 0.15:
            asked["sort"] = "newest"
        found.append((where, asked))
    return found


# --- over HTTP --------------------------------------------------------------------------------------------------------


def open_loop(
    port: int, token: str, asked: Sequence[tuple[str, dict[str, Any]]], rate: float, seconds: float
) -> tuple[list[float], dict[str, list[float]]]:
    """Milliseconds from the scheduled time to the last byte, of each request, and by search."""
    paths = [(where, f"/api/v1/{where}?{urlencode(query)}") for where, query in asked]
    waiting: queue.Queue[tuple[float, str, str] | None] = queue.Queue()
    done: list[tuple[str, float]] = []
    wrong: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (item := waiting.get()) is not None:
            due, where, path = item
            connection.request("GET", path, headers={"X-Session-Token": token})
            answer = connection.getresponse()
            body = answer.read()
            done.append((where, 1000 * (time.perf_counter() - due)))
            if answer.status != 200:
                wrong.append(f"{path}: {answer.status} {body[:300]!r}")

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for t in threads:
        t.start()
    begin = time.perf_counter()
    for i in range(int(rate * seconds)):
        due = begin + i / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        waiting.put((due, *paths[i % len(paths)]))
    for _ in threads:
        waiting.put(None)
    for t in threads:
        t.join()
    if wrong:
        raise SystemExit(wrong[0])
    by = {where: [ms for w, ms in done if w == where] for where in ("jobs", "freelancers")}
    return [ms for _, ms in done], by


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.is_file():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    mine = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return mine + sum(cpu_seconds(int(c)) for c in children.read_text().split())


def signed_in() -> str:
    from django.conf import settings
    from django.test import Client

    from marketplace.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(pk=1), backend=settings.AUTHENTICATION_BACKENDS[0])
    return str(client.session.session_key)


# --- in this process --------------------------------------------------------------------------------------------------


def bare_index(asked: Sequence[tuple[str, dict[str, Any]]]) -> list[float]:
    """Milliseconds of tantivy alone: the same words and filters, ready made, the best twenty and the count; after one round to warm up."""
    from django.contrib.auth.models import AnonymousUser

    from marketplace.jobs.api import search_serializers as shapes
    from marketplace.jobs.api.search_views import freelancer_filters, job_filters
    from marketplace.jobs.search import people, posts
    from marketplace.jobs.search.spoken import Reading, both

    ready = []
    for where, query in asked:
        shape = (shapes.JobSearch if where == "jobs" else shapes.FreelancerSearch)(data=query)
        shape.is_valid(raise_exception=True)
        given = shape.validated_data
        side, filters = (posts, job_filters) if where == "jobs" else (people, freelancer_filters)
        view = side.SHELF.view()
        words = Reading(given["query"], side.SHELF.schema, view.searcher, side.PROFILE.weights).all_words()
        if where == "jobs":
            must = posts._queries(job_filters(AnonymousUser(), given), int(time.time()))
        else:
            must = people._queries(filters(AnonymousUser(), given))
        parts = [*([words] if words is not None else []), *(f.query for f in must)]
        if parts:
            ready.append((view.searcher, both(parts)))
    found: list[float] = []
    for _ in range(2):
        found = []
        for searcher, query in ready:
            begin = time.perf_counter()
            searcher.search(query, limit=20, count=True)
            found.append(1000 * (time.perf_counter() - begin))
    return found


def ndcg(ranked: Sequence[int], market: Any, grades: dict[str, dict[str, int]], code: str, supply: dict[str, int]) -> float:
    """Of the first ten, gain 2^grade − 1; the ideal list has as many of each grade as there are posts."""
    of = grades[code]
    gained = sum((2 ** of.get(market.occupations[market.posts[pk - 1]].code, 0) - 1) / math.log2(i + 2) for i, pk in enumerate(ranked[:10]))
    best = sorted((grade for c, grade in of.items() for _ in range(min(10, supply.get(c, 0)))), reverse=True)[:10]
    ideal = sum((2**g - 1) / math.log2(i + 2) for i, g in enumerate(best))
    return gained / ideal if ideal else 0.0


def plain_bm25(market: Any) -> Callable[[str], list[int]]:
    """One field with title, skills and description, the words of the query joined by OR, and nothing else."""
    import tantivy

    from marketplace.jobs.models import Job
    from marketplace.jobs.search import facts
    from marketplace.jobs.search.posts import JobSkill
    from marketplace.jobs.search.words import indexed, query_words

    folder = HOME / "plain"
    build = tantivy.SchemaBuilder()
    build.add_integer_field("id", indexed=True, fast=True)
    build.add_text_field("text", tokenizer_name="words", index_option="freq")
    schema = build.build()
    fresh = not folder.is_dir()
    folder.mkdir(exist_ok=True)
    index = tantivy.Index(schema, path=str(folder))
    index.register_tokenizer("words", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    if fresh:
        names, writer = facts.skills_by_id(), index.writer(64_000_000, 1)
        for start in range(1, market.rows + 1, 5_000):
            asked: dict[int, list[str]] = {}
            for job, skill in JobSkill.objects.filter(job__gte=start, job__lt=start + 5_000).values_list("job", "skill"):
                asked.setdefault(job, []).append(names[skill][1])
            for pk, title, text in Job.objects.filter(pk__gte=start, pk__lt=start + 5_000).values_list("pk", "title", "description"):
                writer.add_document(tantivy.Document(id=[pk], text=[indexed(" ".join([title, *asked.get(pk, []), text]))]))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
    searcher = index.searcher()

    def ranked(text: str) -> list[int]:
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", w, "freq")) for w in query_words(text)]
        )
        hits = searcher.search(query, limit=10).hits
        return [int(pk or 0) for pk in searcher.fast_field_values("id", [address for _, address in hits])]

    return ranked


def ours(profile: Any) -> Callable[[str], list[int]]:
    from marketplace.jobs.search import engine, posts

    now = int(time.time())

    def ranked(text: str) -> list[int]:
        found = engine.search(posts.SHELF, profile, text[:200], [], order=None, after=None, as_of=now)
        return [row.pk for row in found.rows[:10]]

    return ranked


def judge(market: Any, judged: Sequence[Any], ranked: Callable[[str], list[int]]) -> float:
    grades, supply = market.grades(), {}
    for i in market.posts[: market.rows]:
        code = market.occupations[i].code
        supply[code] = supply.get(code, 0) + 1
    return mean(ndcg(ranked(q.text), market, grades, q.code, supply) for q in judged)


def tune(market: Any, judged: Sequence[Any]) -> None:
    """NDCG@10 of weights on the validation half; the published ones are chosen from this."""
    from dataclasses import replace

    from marketplace.jobs.search import posts
    from marketplace.jobs.search.spoken import Weights

    print(f"plain BM25 {judge(market, judged, plain_bm25(market)):.4f}")
    for skill in (0.0, 0.5, 1.0, 2.0, 4.0):
        for name in (0.25, 0.5):
            for every in (0.0, 1.0, 2.0, 4.0):
                weights = Weights(skill=skill, name=name, all_words=every)
                profile = replace(posts.PROFILE, weights=weights)
                print(f"skill {skill} name {name} all_words {every}: {judge(market, judged, ours(profile)):.4f}", flush=True)


def lags(env: dict[str, str], count: int) -> list[float]:
    """Milliseconds from the commit of a publication to the post being found, with the Celery worker of the product."""
    from marketplace.accounts.models import User
    from marketplace.jobs import services
    from marketplace.jobs.models import Category
    from marketplace.jobs.search import engine, posts

    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "--beat",
        "--pool",
        "threads",
        "--concurrency",
        "2",
        "--loglevel",
        "ERROR",
    ]
    worker = subprocess.Popen(
        command, cwd=REPO / "webapp", env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client, category = User.objects.get(pk=1), Category.objects.order_by("pk")[0].slug
        found = []
        for i in range(count + 1):
            word = f"zyx{i}{random.randrange(10**9)}"
            job = services.job_create(
                actor=client,
                title=f"Warehouse {word}",
                description="A post to be found within two seconds of its publication.",
                category=category,
                pricing="fixed",
                confirm_duplicate=True,  # they differ by one word, and some of them count as twins
            )
            services.job_publish(actor=client, job_id=job.pk)
            committed = time.perf_counter()
            while not engine.search(posts.SHELF, posts.PROFILE, word, [], order=None, after=None, as_of=0).rows:
                if time.perf_counter() - committed > 60:
                    raise SystemExit(f"post {job.pk} was not found within a minute of its publication")
                time.sleep(0.002)
            found.append(1000 * (time.perf_counter() - committed))
            time.sleep(0.1)
        return found[1:]  # the first one waits for the worker to start
    finally:
        worker.terminate()
        worker.wait()


# --- the whole --------------------------------------------------------------------------------------------------------


def cut(values: Sequence[float], percent: int) -> float:
    return round(quantiles(values, n=100)[percent - 1], 2)


def serve(env: dict[str, str], asked: Sequence[tuple[str, dict[str, Any]]], options: argparse.Namespace) -> dict[str, float]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    token = signed_in()
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}",
         "--log-level", "error", "--keep-alive", "30"], cwd=REPO, env=env, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        open_loop(port, token, asked, options.rate, WARM_SECONDS)
        before = cpu_seconds(server.pid)
        every, by = open_loop(port, token, asked, options.rate, options.seconds)
        spent = cpu_seconds(server.pid) - before
    finally:
        server.terminate()
        server.wait()
    return {
        "p50_ms": cut(every, 50), "p95_ms": cut(every, 95), "p99_ms": cut(every, 99), "cpu_ms_per_request": round(1000 * spent / len(every), 2),
        "jobs_p95_ms": cut(by["jobs"], 95), "freelancers_p95_ms": cut(by["freelancers"], 95),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="posts, and as many freelancers")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--judged", type=int, default=400, help="judged queries in each half")
    parser.add_argument("--lags", type=int, default=60, help="publications whose lag is measured")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--reuse", action="store_true", help="use the market of the last run when it had as many rows and the same seed")
    parser.add_argument("--tune", action="store_true", help="only try weights on the validation half of the judged queries")
    options = parser.parse_args()
    from infra.local import services

    stores, marker = HOME / "stores", HOME / "market"
    wanted = f"{options.rows} {options.seed}"
    fresh = not (options.reuse and marker.is_file() and marker.read_text() == wanted)
    if fresh:
        services.stop(stores)
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
    try:
        env = environment(services.start_mariadb(stores, durable=False) | services.start_redis(stores))
        os.environ.update(env)
        if fresh:
            step("database", lambda: create_database(env))
        import django

        django.setup()
        from marketplace.jobs import search
        from tests.load.search_market import Market

        market = step("market drawn", lambda: Market(options.rows, options.seed))
        if fresh:
            step(f"{options.rows:,} posts and {options.rows:,} freelancers written", market.write)
            step("indexes built", search.rebuild)
            marker.write_text(wanted)
        validation, held_out = market.judged(options.judged)
        if options.tune:
            tune(market, validation)
            return 0
        results = figures(market, held_out, env, options)
    finally:
        services.stop(stores)
    document = {
        "name": "search",
        "command": " ".join(["python tests/load/search_bench.py", *sys.argv[1:]]),
        "seed": options.seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "results": results,
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def figures(market: Any, held_out: Sequence[Any], env: dict[str, str], options: argparse.Namespace) -> list[dict[str, Any]]:
    from marketplace.jobs.search import posts

    asked = questions(market, options.queries, options.seed)
    mine = step("judged queries", lambda: judge(market, held_out, ours(posts.PROFILE)))
    plain = step("judged queries by plain BM25", lambda: judge(market, held_out, plain_bm25(market)))
    bare = bare_index(asked)
    from django.db import connections

    connections.close_all()
    over_http = step(f"{options.rate:g} requests a second for {options.seconds:g} s", lambda: serve(env, asked, options))
    lag = step("publications", lambda: lags(env, options.lags))
    index_p50 = cut(bare, 50)
    rows: list[dict[str, Any]] = [
        {"metric": "p50_ms", "value": over_http["p50_ms"], "unit": "ms", "against": index_p50},
        {"metric": "p95_ms", "value": over_http["p95_ms"], "unit": "ms", "against": TARGET_P95},
        {"metric": "p99_ms", "value": over_http["p99_ms"], "unit": "ms"},
        {"metric": "ours_over_index", "value": round(over_http["p50_ms"] / index_p50, 2), "unit": "ratio"},
        {"metric": "ndcg10", "value": round(mine, 4), "unit": "ndcg", "against": round(plain, 4), "ratio": round(mine / plain, 3)},
        {"metric": "ndcg10_bm25", "value": round(plain, 4), "unit": "ndcg"},
        {"metric": "lag_ms", "value": cut(lag, 95), "unit": "ms", "against": TARGET_LAG},
        {"metric": "lag_p50_ms", "value": cut(lag, 50), "unit": "ms"},
        {"metric": "index_p50_ms", "value": index_p50, "unit": "ms"},
        {"metric": "index_p95_ms", "value": cut(bare, 95), "unit": "ms"},
        *({"metric": n, "value": over_http[n], "unit": "ms"} for n in ("cpu_ms_per_request", "jobs_p95_ms", "freelancers_p95_ms")),
        {"metric": "rows", "value": options.rows, "unit": "posts"},
    ]
    for row in rows:
        print(f"{row['metric']:20} {row['value']:>12} {row['unit']}" + (f"   against {row['against']}" if "against" in row else ""))
    print(f"seed {options.seed}; targets: p95 ≤ {TARGET_P95:g} ms, lag ≤ {TARGET_LAG:g} ms, ndcg10 ≥ ndcg10_bm25")
    return rows


if __name__ == "__main__":
    sys.exit(main())
