"""Statements over HTTP: lines with running balances, as JSON pages and as a file, and balances at a past instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from marketplace.core.api.fields import MAX_ID
from marketplace.core.api.files import AnswersWithAFile
from marketplace.core.api.pagination import PAGE_PARAMETERS, decode_cursor, encode_cursor, limit_of
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import Serializer
from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent
from marketplace.core.policies import require_staff

from .. import statements
from ..ledger.templates import TEMPLATES
from ..models import Account
from ..statements import Wanted

TAG = ["statements"]


class LedgerAccountSerializer(Serializer):
    """One account of the ledger."""

    id = serializers.IntegerField(source="account.pk")
    kind = serializers.CharField(source="account.kind", help_text="wallet, hold, pending, available, payout_transit or receivable.")
    milestone_id = serializers.IntegerField(source="account.milestone_id", allow_null=True, help_text="Of a hold.")
    balance = Amount(source="amount")


class LedgerAccountsSerializer(Serializer):
    as_of = serializers.DateTimeField(allow_null=True, help_text="The instant that was asked for; null: now.")
    results = LedgerAccountSerializer(many=True)


class StatementLineSerializer(Serializer):
    """One change of one account."""

    posting_id = serializers.IntegerField(source="posting.pk")
    entry_id = serializers.IntegerField(source="entry.pk")
    at = serializers.DateTimeField(source="entry.occurred_at")
    kind = serializers.CharField(source="entry.kind")
    leg = serializers.CharField(source="posting.leg")
    account_id = serializers.IntegerField(source="account.pk")
    account = serializers.CharField(source="account.kind")
    milestone_id = serializers.IntegerField(source="account.milestone_id", allow_null=True)
    contract_id = serializers.IntegerField(source="entry.contract_id", allow_null=True)
    subject_type = serializers.CharField(source="entry.subject_type")
    subject_id = serializers.IntegerField(source="entry.subject_id", allow_null=True)
    change = Amount(help_text="Above zero: money in.")
    balance = Amount(help_text="Of this account, after this line.")
    total = Amount(help_text="Of all accounts of the statement in this currency, after this line.")
    rule = serializers.CharField(source="entry.rule")
    reason = serializers.CharField(source="entry.reason")


class StatementPageSerializer(Serializer):
    results = StatementLineSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")


def _parameter(name: str, about: str, schema: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=about, **more)


AS_OF = _parameter("as_of", "State at this instant, what was posted in it included: 2026-11-02T12:00:00Z, or a day (its end, UTC).")
FILTERS = [
    _parameter("from", "From this instant on, or from the beginning of this day (UTC)."),
    _parameter("to", "Before this instant, or to the end of this day (UTC)."),
    _parameter("kind", "Kind of entry.", enum=sorted(TEMPLATES)),
    _parameter("contract", "Id of a contract.", OpenApiTypes.INT),
    _parameter("currency", "ISO 4217."),
    _parameter("account", "Kind of account.", enum=sorted(statements.STATED_KINDS)),
]
PAGE = [OpenApiParameter(p["name"], p["schema"], "query", description=p["description"]) for p in PAGE_PARAMETERS]


def instant(request: Request, name: str, *, end_of_day: bool) -> datetime | None:
    """The query parameter as an instant; a day stands for its beginning, or the beginning of the next one. Raises InvalidInput."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        found: datetime | None = parse_datetime(text) if len(text) > 10 else None
        day: date | None = parse_date(text) if len(text) <= 10 else None
        if day is not None:
            found = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=int(end_of_day))
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        "instant_invalid", f"`{name}` is an instant or a day.", {name: ["Write it like 2026-11-02T12:00:00Z or 2026-11-02."]}
    )


def as_of(request: Request) -> datetime | None:
    """The query parameter `as_of`; a day stands for the state at its last microsecond."""
    found = instant(request, "as_of", end_of_day=True)
    by_day = found is not None and len(request.query_params["as_of"]) <= 10
    return found - timedelta(microseconds=1) if found is not None and by_day else found


def wanted_by(request: Request) -> Wanted:
    """What the query parameters ask of a statement. Raises InvalidInput with what is wrong."""
    given = request.query_params
    choices: dict[str, list[str]] = {"kind": sorted(TEMPLATES), "account": sorted(statements.STATED_KINDS)}
    for name, known in choices.items():
        if given.get(name) and str(given[name]) not in known:
            raise InvalidInput(f"{name}_unknown", f"There is no such {name}.", {name: [f"Use one of {', '.join(known)}."]})
    contract = given.get("contract") or None
    if contract is not None and not (contract.isascii() and contract.isdigit() and len(contract) <= 19 and int(contract) <= MAX_ID):
        raise InvalidInput("contract_invalid", "`contract` is the id of a contract.", {"contract": ["Use a whole number."]})
    if given.get("currency"):
        exponent(given["currency"])
    return Wanted(
        since=instant(request, "from", end_of_day=False),
        until=instant(request, "to", end_of_day=True),
        kind=given.get("kind") or None,
        contract_id=int(contract) if contract else None,
        currency=given.get("currency") or None,
        account=given.get("account") or None,
    )


def page_of(request: Request, accounts: Sequence[Account]) -> dict[str, Any]:
    """One page of a statement over these accounts, newest line first."""
    limit, cursor = limit_of(request), request.query_params.get("cursor")
    before = None
    if cursor:
        (before,) = decode_cursor(cursor, 1)
        if type(before) is not int or not 0 < before <= MAX_ID:
            raise InvalidInput("cursor_invalid", "This page address is not valid.", {"cursor": ["Not a page address of ours."]})
    lines = statements.lines_before(accounts, wanted_by(request), before=before, limit=limit + 1)
    more = len(lines) > limit
    lines = lines[:limit]
    following = replace_query_param(request.get_full_path(), "cursor", encode_cursor([lines[-1].line])) if more else None
    return dict(StatementPageSerializer({"results": lines, "next": following}).data)


def file_of(request: Request, accounts: Sequence[Account], name: str) -> StreamingHttpResponse:
    """The statement as a CSV file."""
    lines: Iterator[str] = statements.csv_file(accounts, wanted_by(request))
    answer = StreamingHttpResponse((line.encode() for line in lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer


class FileView(AnswersWithAFile):
    """A file for whoever is signed in. Each costs a whole statement, or a page to be laid out."""

    permission_classes = [IsAuthenticated]
    pace = {"GET": "download"}


def _me(request: Request) -> int:
    return int(str(request.user.pk))


class LedgerAccountsView(APIView):
    """The signed-in user's accounts and what was on each, now or at a past instant."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="ledger_accounts_list",
        tags=TAG,
        parameters=[AS_OF],
        responses=LedgerAccountsSerializer,
    )
    def get(self, request: Request) -> Response:
        at = as_of(request)
        found = statements.positions(statements.accounts_of(_me(request)), at)
        return Response(LedgerAccountsSerializer({"as_of": at, "results": found}).data)


class StatementView(APIView):
    """Every change of the signed-in user's accounts, newest first, with the balance after each."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="statement_read", tags=TAG, parameters=[*FILTERS, *PAGE], responses=StatementPageSerializer)
    def get(self, request: Request) -> Response:
        return Response(page_of(request, statements.accounts_of(_me(request))))


class StatementFileView(FileView):
    """The same as a CSV file, oldest first, with all lines that the filters leave."""

    @extend_schema(operation_id="statement_file", tags=TAG, parameters=FILTERS, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponseBase:
        return file_of(request, statements.accounts_of(_me(request)), "statement")


class AccountStatementView(APIView):
    """The statement of one account, for its owner and finance staff."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="account_statement_read", tags=TAG, parameters=[*FILTERS, *PAGE], responses=StatementPageSerializer)
    def get(self, request: Request, account_id: int) -> Response:
        return Response(page_of(request, [statements.account_for(request.user, account_id)]))


class AccountStatementFileView(FileView):
    """The statement of one account as a CSV file."""

    @extend_schema(operation_id="account_statement_file", tags=TAG, parameters=FILTERS, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, account_id: int) -> HttpResponseBase:
        return file_of(request, [statements.account_for(request.user, account_id)], f"statement-{account_id}")


class StaffStatementView(APIView):
    """Somebody's statement, for staff who may `payments_see`."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="staff_statement_read", tags=TAG, parameters=[*FILTERS, *PAGE], responses=StatementPageSerializer)
    def get(self, request: Request, user_id: int) -> Response:
        require_staff(request.user, "payments_see")
        return Response(page_of(request, statements.accounts_of(user_id)))
