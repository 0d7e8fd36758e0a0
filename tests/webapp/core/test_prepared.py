"""Prepared statements give what the queryset they were made of gives, for any values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from marketplace.accounts.models import User
from marketplace.core.policies import Seer
from marketplace.core.prepared import LONGEST_LIST, Statement
from marketplace.jobs.models import Category, Job, Skill
from marketplace.jobs.policies import jobs_visible_to


def _skills(*, ids: list[int], slugs: list[str], text: str, after: Any, merged: bool) -> Any:
    wanted = Q(pk__in=ids) | Q(slug__in=slugs) | Q(name=text)
    rows = Skill.objects.filter(wanted, category__isnull=False).select_related("category").order_by("pk")
    return rows.filter(merged_into__isnull=not merged, updated_at__gt=after) if after is not None else rows


class Equal(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        category = Category.objects.create(slug="c", name="C")
        Skill.objects.bulk_create(Skill(slug=f"s-{i}", name=f"S {i}", category=category) for i in range(8))

    @given(
        places=st.lists(st.integers(0, 9), max_size=6),
        slugs=st.lists(st.sampled_from(["s-1", "s-3", "%s", "' OR 1=1 -- ", "س", "\x1f1"]), max_size=4),
        text=st.sampled_from(["S 0", "", "%(ids)s", "1934881001"]),
        ago=st.none() | st.integers(-1, 1),
        merged=st.booleans(),
    )
    def test_rows_and_their_relations(self, places: list[int], slugs: list[str], text: str, ago: int | None, merged: bool) -> None:
        pks = list(Skill.objects.order_by("pk").values_list("pk", flat=True))
        ids = [pks[i] if i < len(pks) else 10**12 + i for i in places]
        values = {"ids": ids, "slugs": slugs, "text": text, "merged": merged}
        values["after"] = None if ago is None else timezone.now() + timedelta(days=ago)
        prepared = STATEMENT(**values)
        assert prepared == list(_skills(**values))
        with self.assertNumQueries(0):
            assert {row.category.slug for row in prepared} <= {"c"}


STATEMENT: Statement[Skill] = Statement(_skills)


def test_a_second_call_builds_nothing(db: Any) -> None:
    built: list[int] = []

    def build(ids: list[int]) -> Any:
        built.append(len(ids))
        return Skill.objects.filter(pk__in=ids).values_list("pk", flat=True)

    rows: Statement[int] = Statement(build)
    settings.PREPARED_CHECKED = False
    try:
        assert rows(ids=[1, 2]) == rows(ids=[3, 4]) == rows(ids=[3, 3, 4]) == []
        assert built == [2]
        rows(ids=[5])
        assert built == [2, 1]
    finally:
        settings.PREPARED_CHECKED = True


@pytest.mark.parametrize("ids", [[], [2**63], list(range(1, LONGEST_LIST + 2))], ids=["none", "no-column-holds-it", "long"])
def test_lists_that_are_not_kept(db: Any, ids: list[int]) -> None:
    rows: Statement[Skill] = Statement(lambda ids: Skill.objects.filter(pk__in=ids))
    assert rows(ids=ids) == list(Skill.objects.filter(pk__in=ids))


def test_a_statement_that_changes_its_values_is_found_out(db: Any) -> None:
    wrong: Statement[Skill] = Statement(lambda pk: Skill.objects.filter(pk=pk + 1))
    with pytest.raises(AssertionError, match="differs from what it was made of"):
        wrong(pk=1)


def test_whose_rows_are_seen_is_part_of_the_values(db: Any) -> None:
    seen: Statement[Job] = Statement(lambda pk, sees_all: jobs_visible_to(Seer(pk, sees_all)))
    with CaptureQueriesContext(connection) as asked:
        seen(pk=41, sees_all=False)
        seen(pk=42, sees_all=False)
        seen(pk=42, sees_all=True)
        seen(pk=None, sees_all=False)
    texts = [q["sql"] for q in asked]
    assert "41" in texts[0] and "42" not in texts[0]
    assert "42" in texts[1] and "41" not in texts[1]
    assert "WHERE" not in texts[2]
    assert "jobs_proposal" in texts[1] and "jobs_proposal" not in texts[3], "nobody's bids are asked for on behalf of nobody"


def test_threads_share_a_statement_and_no_connection(committed_db: Any) -> None:
    people = User.objects.bulk_create(User(email=f"p{i}@example.org", display_name=f"P{i}") for i in range(20))
    rows: Statement[str] = Statement(lambda name: User.objects.filter(display_name=name).values_list("email", flat=True))

    def ask(i: int) -> list[str]:
        try:
            return rows(name=f"P{i}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(20))) == [[p.email] for p in people]
