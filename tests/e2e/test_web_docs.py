"""The API tried by hand on its own page: signing in there, a post from the prefilled example, and what refusals look like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from marketplace.core.models import IdempotencyRecord
from marketplace.jobs.models import Category, Job, Skill

from .conftest import PASSWORD

LOGIN = "/_allauth/{client}/v1/auth/login"


@pytest.fixture(autouse=True)
def made_document(site: str) -> None:
    """The document, which is made once a process: the browser's clock does not run while it is."""
    assert Client().get("/api/v1/schema").status_code == 200


class Docs:
    """A page of Swagger UI."""

    def __init__(self, page: Any, path: str) -> None:
        self.page = page
        page.set_default_timeout(60_000)  # the document is long, and a busy machine slow to show it
        page.goto(path)
        page.locator(".opblock-tag").first.wait_for()

    def opened(self, tag: str, method: str, path: str) -> Any:
        """The call's block, opened and ready to be filled in."""
        heading = self.page.locator(f'.opblock-tag[data-tag="{tag}"]')
        if heading.get_attribute("data-is-open") != "true":
            heading.click()
        block = self.page.locator(f".opblock-{method}").filter(has=self.page.locator(f'[data-path="{path}"]'))
        block.locator(".opblock-summary-control").click()
        block.locator(".try-out__btn").click()
        return block

    def execute(self, block: Any) -> tuple[int, Any]:
        """Press "Execute"; the answer, once the page shows its status."""
        calls = lambda answer: answer.request.resource_type == "fetch" and not answer.url.endswith("/api/v1/me")  # noqa: E731
        with self.page.expect_response(calls) as answered:
            block.locator(".execute").click()
        answer = answered.value
        block.locator(".live-responses-table tr.response td.response-col_status").get_by_text(str(answer.status)).first.wait_for()
        return answer.status, answer.json()


def test_a_newcomer_signs_in_posts_a_job_and_reads_refusals_on_the_docs_page(visitor: Any, alice_and_bob: Any) -> None:
    alice, _ = alice_and_bob
    who = "#docs-who"
    newcomer = visitor()
    page = newcomer.page

    docs = Docs(page, "/api/docs")
    page.locator(who).get_by_text("Not signed in.").wait_for()
    post = docs.opened("jobs", "post", "/api/v1/jobs")
    example = json.loads(post.locator("textarea.body-param__text").input_value())
    Category.objects.get_or_create(slug=example["category"], defaults={"name": "From the example"})
    for slug in example["skills"]:
        Skill.objects.get_or_create(slug=slug, defaults={"name": slug, "category": Category.objects.get(slug=example["category"])})
    status, refusal = docs.execute(post)
    assert (status, refusal["code"]) == (401, "not_authenticated")
    assert "Sign in first" in refusal["message"]

    docs = Docs(page, "/api/docs/sign-in")
    login = docs.opened("Authentication: Account", "post", LOGIN)
    login.locator("textarea.body-param__text").fill(json.dumps({"email": alice.email, "password": PASSWORD}))
    assert docs.execute(login)[0] == 200
    page.locator(who).get_by_text(alice.email).wait_for()
    # the token of the page as it was sent is no longer good after signing in
    renew = docs.opened("Account: Password", "post", "/_allauth/{client}/v1/account/password/change")
    renew.locator("textarea.body-param__text").fill(json.dumps({"current_password": "not hers", "new_password": "x"}))
    assert docs.execute(renew)[0] == 400

    docs = Docs(page, "/api/docs")
    page.locator(who).get_by_text(alice.email).wait_for()
    post = docs.opened("jobs", "post", "/api/v1/jobs")
    status, job = docs.execute(post)
    assert (status, job["title"], job["state"]) == (201, example["title"], "draft")
    status, refusal = docs.execute(post)
    assert (status, refusal["code"]) == (409, "job_duplicate"), "each press is a new request, not the repetition of the last"
    post.locator("textarea.body-param__text").fill(json.dumps({**example, "confirm_duplicate": True}))
    key = post.locator('tr[data-param-name="Idempotency-Key"] input')
    key.fill("a-key-of-mine")
    answers = [docs.execute(post) for _ in range(2)]
    assert [status for status, _ in answers] == [201, 201]
    assert answers[0][1]["id"] == answers[1][1]["id"], "a key that somebody wrote is kept"
    assert Job.objects.filter(client=alice).count() == 2
    assert IdempotencyRecord.objects.filter(key="a-key-of-mine").count() == 1

    read = docs.opened("jobs", "get", "/api/v1/jobs/{job_id}")
    number = read.locator('tr[data-param-name="job_id"] input')
    number.fill(str(job["id"]))
    assert docs.execute(read)[1]["description"] == example["description"]
    number.fill("999999")
    status, refusal = docs.execute(read)
    assert (status, refusal["code"]) == (404, "not_found")

    page.get_by_role("button", name="Sign out").click()
    page.locator(who).get_by_text("Not signed in.").wait_for()
    number.fill(str(job["id"]))
    assert docs.execute(read)[0] == 404, "a draft is nobody else's to read"


def test_a_file_is_sent_from_the_docs_page(visitor: Any, alice_and_bob: Any) -> None:
    docs = Docs(visitor(alice_and_bob[0]).page, "/api/docs")
    upload = docs.opened("files", "post", "/api/v1/files")
    upload.locator("input[type=file]").set_input_files(
        {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"One source, one warehouse."}
    )
    status, kept = docs.execute(upload)
    assert (status, kept["name"], kept["size"]) == (201, "plan.txt", 26)


def test_the_docs_fit_a_phone_and_run_only_what_the_server_sent(visitor: Any, site: str) -> None:
    page = visitor(width=360).page
    for path in ("/api/docs", "/api/docs/sign-in"):
        docs = Docs(page, path)
        policy = page.request.get(path).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert docs.page.evaluate("document.documentElement.scrollWidth") <= 360
    docs = Docs(page, "/api/docs")
    docs.opened("jobs", "post", "/api/v1/jobs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
