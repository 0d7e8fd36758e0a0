"""Reconciliation for finance staff: the days that were compared, their differences and what is done about them, and gateways' own files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.dateparse import parse_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import clock
from marketplace.core.api.fields import MAX_ID
from marketplace.core.api.files import TakesAFile
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.errors import InvalidInput
from marketplace.core.policies import require_staff

from .. import services
from ..models import Difference, ProcessorFile, ProcessorFileError, ReconciliationRun, ReconciliationTotal
from ..reconciliation import differences, formats, importing
from ..states import DIFFERENCE, RECONCILIATION

TAG = ["reconciliation"]


class ReconciliationTotalSerializer(ModelSerializer):
    """A day in one currency, in minor units: provider = ledger + in flight + uncovered + differences + unexplained."""

    class Meta:
        model = ReconciliationTotal
        fields = (
            "currency",
            "provider_minor",
            "ledger_minor",
            "in_flight_minor",
            "uncovered_minor",
            "differences_minor",
            "unexplained_minor",
            "matched",
            "in_flight",
            "uncovered",
            "differences",
        )
        read_only_fields = fields


class ReconciliationRunSerializer(ModelSerializer):
    """A day (UTC) of one gateway."""

    totals = ReconciliationTotalSerializer(many=True, read_only=True)

    class Meta:
        model = ReconciliationRun
        fields = ("id", "provider", "day", "state", "listed_from", "last_error", "begun_at", "finished_at", "totals")
        read_only_fields = fields


class _PersonSerializer(Serializer):
    """A member of staff."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="display_name")

    class Meta:
        ref_name = "ReconciliationPerson"


class DifferenceSerializer(Serializer):
    """What a gateway and we tell differently. `effect` is what the gateway has more than our books because of it."""

    id = serializers.IntegerField()
    provider = serializers.CharField()
    item = serializers.CharField(help_text='What it is about: "payment:12", "line:<the gateway\'s own number>", "balance".')
    kind = serializers.ChoiceField(choices=Difference.Kind.choices)
    state = serializers.ChoiceField(choices=DIFFERENCE.choices)
    effect = Amount(source="effect_amount")
    theirs_minor = serializers.IntegerField(allow_null=True, help_text="With the gateway; null: nothing there.")
    ours_minor = serializers.IntegerField(allow_null=True, help_text="With us; null: nothing here.")
    other_currency = serializers.CharField(help_text="Where the other side has it in another currency.")
    since = serializers.DateTimeField(help_text="When the item happened.")
    age_days = serializers.IntegerField(source="age.days", help_text="Days since the item happened, until the difference was closed.")
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    owner = _PersonSerializer(allow_null=True)
    explanation = serializers.CharField()
    asked_by = _PersonSerializer(allow_null=True, help_text="Who asked for a booking or a credit that waits for a second person.")
    asked_as = serializers.CharField(help_text="suspense or write_off, while a booking waits.")
    entry_id = serializers.IntegerField(allow_null=True, help_text="The entry of the ledger that booked it.")
    actions = serializers.SerializerMethodField()

    def get_actions(self, row: Difference) -> list[str]:
        """What can be done in its state."""
        return DIFFERENCE.actions_from(row.state, "staff") if row.live_key is not None else []


class DifferenceReasonSerializer(Serializer):
    reason = serializers.CharField(max_length=500, help_text="Goes to the audit with your name.")


class DifferenceBookSerializer(Serializer):
    account = serializers.ChoiceField(
        choices=Difference.Account.choices, help_text="suspense: until it is understood; write_off: for good."
    )
    reason = serializers.CharField(max_length=500, help_text="Goes to the audit with your name.")


class ProcessorFileSerializer(ModelSerializer):
    """A gateway's own file as it was read: rows = stored + known + skipped + errors."""

    class Meta:
        model = ProcessorFile
        fields = (
            "id",
            "provider",
            "name",
            "format",
            "sha256",
            "size",
            "uploaded_by_id",
            "uploaded_at",
            "read_at",
            "covers_from",
            "covers_until",
            "rows",
            "stored",
            "known",
            "skipped",
            "errors",
        )
        read_only_fields = fields


class ProcessorFileProblemSerializer(ModelSerializer):
    """A row that could not be read, with what to do about it."""

    class Meta:
        model = ProcessorFileError
        fields = ("id", "line_no", "message", "text")
        read_only_fields = fields


class ProcessorFileInSerializer(Serializer):
    provider = serializers.ChoiceField(choices=formats.PROVIDERS)
    file = serializers.FileField(max_length=255, help_text="The gateway's file as it was exported.")
    day_first = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="PayPal: whether 03/04/2026 is 3 April. Only where the file leaves it open.",
    )


def _query(name: str, about: str, schema: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=about, **more)


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None:
        raise InvalidInput(f"{name}_invalid", f"`{name}` is a day.", {name: ["Write it like 2026-11-02."]})
    return found


def _choice(request: Request, name: str, known: list[str]) -> str | None:
    text = request.query_params.get(name)
    if text and text not in known:
        raise InvalidInput(f"{name}_unknown", f"There is no such {name}.", {name: [f"Use one of {', '.join(known)}."]})
    return text or None


def _number(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
        raise InvalidInput(f"{name}_invalid", f"`{name}` is a whole number.", {name: ["Use a whole number."]})
    return int(text)


def _plain(request: Request, rows: QuerySet[Any], *names: str) -> QuerySet[Any]:
    """The rows whose columns are what the parameters of their names say."""
    for name in names:
        text = request.query_params.get(name)
        if text:
            rows = rows.filter(**{name: text[:32]}) if text.isascii() and text.isprintable() else rows.none()
    return rows


def _shown(row: Difference, now: datetime) -> Difference:
    """With its age, which is asked of the clock once for all rows."""
    row.age = max(timedelta(0), (row.closed_at or now) - row.since)
    return row


class ReconciliationRunsView(ListAPIView):
    """The days that were compared, newest first. For staff who see payments."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = ReconciliationRunSerializer
    keyset = ("-day", "-id")
    queryset = ReconciliationRun.objects.none()

    def get_queryset(self) -> Any:
        require_staff(self.request.user, "payments_see")
        rows = _plain(self.request, ReconciliationRun.objects.prefetch_related("totals"), "provider")
        state, begin, end = (
            _choice(self.request, "state", list(RECONCILIATION.states)),
            _day(self.request, "from"),
            _day(self.request, "to"),
        )
        rows = rows.filter(state=state) if state else rows
        rows = rows.filter(day__gte=begin) if begin else rows
        return rows.filter(day__lte=end) if end else rows

    @extend_schema(
        operation_id="reconciliation_runs",
        tags=TAG,
        parameters=[
            _query("provider", "Name of a gateway."),
            _query("state", "State of the run.", enum=list(RECONCILIATION.states)),
            _query("from", "From this day on.", OpenApiTypes.DATE),
            _query("to", "Up to this day.", OpenApiTypes.DATE),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class DifferencesView(ListAPIView):
    """Differences with gateways, newest first. For staff who see payments."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = DifferenceSerializer
    keyset = ("-id",)
    queryset = Difference.objects.none()

    def get_queryset(self) -> Any:
        rows = _plain(self.request, differences.visible_to(self.request.user), "provider", "currency")
        for name, known in (("state", list(DIFFERENCE.states)), ("kind", list(Difference.Kind.values))):
            given = _choice(self.request, name, known)
            rows = rows.filter(**{name: given}) if given else rows
        owner = self.request.query_params.get("owner")
        if owner in ("me", "none"):
            rows = rows.filter(owner=self.request.user.pk if owner == "me" else None)
        elif owner:
            rows = rows.filter(owner=_number(self.request, "owner", MAX_ID))
        older = _number(self.request, "older_than_days", 36_500)
        return rows if older is None else rows.filter(since__lte=clock.now() - timedelta(days=older))

    def paginate_queryset(self, queryset: Any) -> Any:
        now = clock.now()
        return [_shown(row, now) for row in super().paginate_queryset(queryset) or ()]

    @extend_schema(
        operation_id="reconciliation_differences",
        tags=TAG,
        parameters=[
            _query("provider", "Name of a gateway."),
            _query("currency", "ISO 4217."),
            _query("state", "State of the difference.", enum=list(DIFFERENCE.states)),
            _query("kind", "Kind of the difference.", enum=list(Difference.Kind.values)),
            _query("owner", "me, none, or the id of a member of staff."),
            _query("older_than_days", "Of items that happened so many days ago, or earlier.", OpenApiTypes.INT),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class DifferenceView(APIView):
    """One difference. For staff who see payments."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="reconciliation_difference", tags=TAG, responses=DifferenceSerializer)
    def get(self, request: Request, difference_id: int) -> Response:
        return Response(DifferenceSerializer(_shown(differences.difference_for(request.user, difference_id), clock.now())).data)


class _ActView(IdempotentMixin, APIView):
    """One act of staff on a difference; answers with it as it is then."""

    permission_classes = [IsAuthenticated]
    act: Callable[..., Difference]
    shape: type[Serializer] | None = DifferenceReasonSerializer

    def done(self, request: Request, difference_id: int) -> Response:
        require_staff(request.user, "reconcile")
        values: dict[str, Any] = {}
        if self.shape is not None:
            given = self.shape(data=request.data)
            given.is_valid(raise_exception=True)
            values = given.validated_data
        type(self).act(actor=request.user, difference_id=difference_id, **values)
        return Response(DifferenceSerializer(_shown(differences.difference_for(request.user, difference_id), clock.now())).data)


def _act(name: str, request: Any) -> Callable[[Any], Any]:
    decorate: Callable[[Any], Any] = extend_schema(
        operation_id=f"reconciliation_difference_{name}", tags=TAG, request=request, responses=DifferenceSerializer
    )
    return decorate


class DifferenceClaimView(_ActView):
    """Take care of a difference from now on; everybody sees who does."""

    act = staticmethod(services.difference_claim)
    shape = None

    @_act("claim", None)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceGiveBackView(_ActView):
    """Nobody takes care of it any more, so that somebody else can."""

    act = staticmethod(services.difference_give_back)
    shape = None

    @_act("give_back", None)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceExplainView(_ActView):
    """Say why it is so. No money moves: it closes by itself when the other side tells it, and is opened again when its amount changes."""

    act = staticmethod(services.difference_explain)

    @_act("explain", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceReopenView(_ActView):
    """The explanation does not hold: it is open again."""

    act = staticmethod(services.difference_reopen)

    @_act("reopen", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceBookView(_ActView):
    """Bring our books to what the gateway says. Above the limit the booking waits for a second person: the state is then `waiting`."""

    act = staticmethod(services.difference_book)
    shape = DifferenceBookSerializer

    @_act("book", DifferenceBookSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceApproveView(_ActView):
    """The second person lets a booking happen; whoever asked for it cannot."""

    act = staticmethod(services.difference_approve)

    @_act("approve", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceRefuseView(_ActView):
    """A booking that waits does not happen; the difference is open again."""

    act = staticmethod(services.difference_refuse)

    @_act("refuse", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceCreditView(_ActView):
    """What lies in suspense for a payment is its payer's: it goes into their wallet once a second person agrees. The state is then `crediting`."""

    act = staticmethod(services.difference_credit)

    @_act("credit", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceCreditApproveView(_ActView):
    """The second person lets a credit happen; whoever asked for it cannot."""

    act = staticmethod(services.difference_credit_approve)

    @_act("credit_approve", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class DifferenceCreditRefuseView(_ActView):
    """A credit that waits does not happen; the money stays in suspense."""

    act = staticmethod(services.difference_credit_refuse)

    @_act("credit_refuse", DifferenceReasonSerializer)
    def post(self, request: Request, difference_id: int) -> Response:
        return self.done(request, difference_id)


class ProcessorFilesView(IdempotentMixin, TakesAFile, ListAPIView):
    """Files of gateways that were read, newest first; POST reads one. The same file again is the same answer."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "upload"}
    parser_classes = [MultiPartParser]
    pagination_class = KeysetPagination
    serializer_class = ProcessorFileSerializer
    keyset = ("-id",)
    queryset = ProcessorFile.objects.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse by who asks, before the form is read."""
        super().initial(request, *args, **kwargs)
        require_staff(request.user, "reconcile" if request.method == "POST" else "payments_see")

    def check_length(self, announced: int) -> None:
        if announced > settings.RECONCILE_FILE_MAX_BYTES:
            most = settings.RECONCILE_FILE_MAX_BYTES // 2**20
            raise InvalidInput("file_too_large", f"A file has at most {most} MiB. Export fewer days.", {"file": ["Too large."]})

    def get_queryset(self) -> Any:
        return _plain(self.request, importing.files_for(self.request.user), "provider")

    @extend_schema(
        operation_id="processor_files",
        tags=TAG,
        parameters=[_query("provider", "Name of a gateway.")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="processor_file_import",
        tags=TAG,
        request={"multipart/form-data": ProcessorFileInSerializer},
        responses={201: ProcessorFileSerializer},
    )
    def post(self, request: Request) -> Response:
        given = ProcessorFileInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        upload = data["file"]
        values = {"provider": data["provider"], "name": upload.name, "content": upload.file, "day_first": data["day_first"]}
        return Response(ProcessorFileSerializer(services.file_import(actor=request.user, **values)).data, status=201)


class ProcessorFileView(APIView):
    """One file that was read."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="processor_file",
        tags=TAG,
        responses=ProcessorFileSerializer,
    )
    def get(self, request: Request, file_id: int) -> Response:
        return Response(ProcessorFileSerializer(importing.file_for(request.user, file_id)).data)


class ProcessorFileProblemsView(ListAPIView):
    """The rows of a file that could not be read, by line, each with what to do."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = ProcessorFileProblemSerializer
    keyset = ("line_no", "id")
    queryset = ProcessorFileError.objects.none()

    def get_queryset(self) -> Any:
        return importing.file_for(self.request.user, self.kwargs["file_id"]).problems.all()

    @extend_schema(operation_id="processor_file_problems", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)
