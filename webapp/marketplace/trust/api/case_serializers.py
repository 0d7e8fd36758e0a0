"""The shapes of reports, cases, decisions and appeals on the wire."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import MAX_ID, WholeNumber
from marketplace.core.api.serializers import ModelSerializer, Serializer, now_of

from ..models import Case, ReasonCode, Report, SecondRating
from ..policies import acts_on, case_actions
from ..services.reports import REPORT_CODES
from ..states import ACT_CHOICES
from ..subjects import REPORTABLE, subject
from .serializers import FindingSerializer

EXCERPT = 4_000
IF_NOBODY_ACTS = {
    "flagged": "A moderator's decision is due. If it is late, it stays due and is reported; nothing is done to anybody before it.",
    "held": "The content is back in view, and a decision is due again.",
    "appealed": "A decision by another moderator is due. If it is late, it stays due and is reported.",
}


class ReportInSerializer(Serializer):
    subject_type = serializers.ChoiceField(choices=REPORTABLE)
    subject_id = WholeNumber(min_value=1, max_value=MAX_ID, help_text="A profile is named by its user's id, a reply by its review's.")
    reason_code = serializers.ChoiceField(choices=REPORT_CODES)
    text = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="", help_text="Required for “other”.")


class ReportSerializer(ModelSerializer):
    """An own report; `outcome` is waiting, no_breach, or measures when something was done."""

    outcome = serializers.SerializerMethodField()

    class Meta:
        model = Report
        fields = ("id", "subject_type", "subject_id", "reason_code", "text", "at", "answered_at", "outcome")
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["waiting", "no_breach", "measures"]))
    def get_outcome(self, report: Report) -> str:
        if report.answered_at is None:
            return "waiting"
        return "no_breach" if report.case.act == "allow" else "measures"


class DecisionSerializer(ModelSerializer):
    """What was decided on one's own content, why, on which evidence, and until when it can be appealed."""

    if_nobody_acts = serializers.SerializerMethodField()
    can_appeal = serializers.SerializerMethodField()
    act = serializers.ChoiceField(choices=ACT_CHOICES, allow_blank=True)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices, allow_blank=True)

    class Meta:
        model = Case
        fields = (
            "id",
            "subject_type",
            "subject_id",
            "state",
            "act",
            "reason_code",
            "reason",
            "evidence",
            "decided_at",
            "decide_by",
            "appeal_until",
            "appeal_reason",
            "appealed_at",
            "appeal_decided_at",
            "appeal_answer",
            "can_appeal",
            "if_nobody_acts",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_if_nobody_acts(self, case: Case) -> str:
        if case.state == "actioned":
            return "The decision stands."
        return IF_NOBODY_ACTS.get(case.state, "")

    @extend_schema_field(serializers.BooleanField())
    def get_can_appeal(self, case: Case) -> bool:
        return case.state == "actioned" and case.appeal_until is not None and case.appeal_until > now_of(self)


class CaseReportSerializer(ModelSerializer):
    """A report as moderators see it."""

    reporter_id = serializers.IntegerField()

    class Meta:
        model = Report
        fields = ("id", "reporter_id", "reason_code", "text", "at")
        read_only_fields = fields


class FlagSerializer(Serializer):
    """A text that the rules warned of."""

    subject_type = serializers.CharField()
    subject_id = serializers.IntegerField()
    version = serializers.CharField()
    at = serializers.DateTimeField()
    findings = FindingSerializer(many=True)


class CaseSubjectSerializer(Serializer):
    """The thing itself as it is now; its text is cut after 4,000 characters."""

    title = serializers.CharField()
    text = serializers.CharField()
    link = serializers.CharField()
    state = serializers.CharField()
    acts = serializers.ListField(child=serializers.CharField(), help_text="What a decision can do to it.")


class CaseSerializer(ModelSerializer):
    """A case in the queue. `actions` are the last words of the routes that the viewer may use now."""

    about_id = serializers.IntegerField()
    claimed_by_id = serializers.IntegerField(allow_null=True)
    decided_by_id = serializers.IntegerField(allow_null=True)
    second_by_id = serializers.IntegerField(allow_null=True)
    report_count = serializers.IntegerField()
    actions = serializers.SerializerMethodField()
    if_nobody_acts = serializers.SerializerMethodField()
    act = serializers.ChoiceField(choices=ACT_CHOICES, allow_blank=True)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices, allow_blank=True)

    class Meta:
        model = Case
        fields: tuple[str, ...] = (
            "id",
            "subject_type",
            "subject_id",
            "about_id",
            "state",
            "opened_at",
            "decide_by",
            "late_at",
            "claimed_by_id",
            "claim_until",
            "act",
            "reason_code",
            "reason",
            "evidence",
            "decided_by_id",
            "decided_at",
            "needs_second",
            "second_by_id",
            "second_at",
            "content_held",
            "appeal_until",
            "appeal_reason",
            "appealed_at",
            "appeal_decided_at",
            "appeal_answer",
            "report_count",
            "actions",
            "if_nobody_acts",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, case: Case) -> list[str]:
        viewer: Any = self.context["viewer"]
        return [] if viewer.pk == case.about_id else case_actions(case, viewer.pk, now_of(self))

    @extend_schema_field(serializers.CharField())
    def get_if_nobody_acts(self, case: Case) -> str:
        return IF_NOBODY_ACTS.get(case.state, "")


class CaseWholeSerializer(CaseSerializer):
    """With the thing itself, the reports and what the rules found."""

    subject = serializers.SerializerMethodField()
    reports = serializers.SerializerMethodField()
    flags = serializers.SerializerMethodField()

    class Meta(CaseSerializer.Meta):
        fields = (*CaseSerializer.Meta.fields, "subject", "reports", "flags")
        read_only_fields = fields

    @extend_schema_field(CaseSubjectSerializer())
    def get_subject(self, case: Case) -> Any:
        return subject_told(case)

    @extend_schema_field(CaseReportSerializer(many=True))
    def get_reports(self, case: Case) -> Any:
        return CaseReportSerializer(case.reports.order_by("id")[:100], many=True).data

    @extend_schema_field(FlagSerializer(many=True))
    def get_flags(self, case: Case) -> Any:
        return FlagSerializer(case.flags.order_by("-id")[:20], many=True).data


def subject_told(case: Case) -> Any:
    """The thing of a case as moderators and second raters read it."""
    there = subject(case.subject_type, case.subject_id)
    told = {
        "title": there.title,
        "text": there.text[:EXCERPT],
        "link": there.link,
        "state": there.state,
        "acts": acts_on(case.subject_type),
    }
    return CaseSubjectSerializer(told).data


class CaseDecideSerializer(Serializer):
    act = serializers.ChoiceField(choices=ACT_CHOICES)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices)
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="", help_text="The person reads it.")
    evidence = serializers.ListField(child=serializers.CharField(max_length=1000), max_length=10, required=False, default=list)


class CaseReasonSerializer(Serializer):
    reason = serializers.CharField(max_length=500)


class CaseAppealSerializer(Serializer):
    reason = serializers.CharField(max_length=5000)


class AppealDecideSerializer(Serializer):
    overturn = serializers.BooleanField(help_text="True: the decision was wrong and is undone.")
    reason = serializers.CharField(max_length=2000, help_text="The person reads it.")


class CaseRateSerializer(Serializer):
    act = serializers.ChoiceField(choices=ACT_CHOICES)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices)


class BlindCaseSerializer(ModelSerializer):
    """A case to judge once more: the thing and what was said against it, not what was decided."""

    id = serializers.IntegerField(source="case_id")
    subject_type = serializers.CharField(source="case.subject_type")
    subject = serializers.SerializerMethodField()
    reasons = serializers.SerializerMethodField()

    class Meta:
        model = SecondRating
        fields = ("id", "asked_at", "subject_type", "subject", "reasons")
        read_only_fields = fields

    @extend_schema_field(CaseSubjectSerializer())
    def get_subject(self, rating: SecondRating) -> Any:
        return {**subject_told(rating.case), "state": ""}  # "removed" would tell

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), help_text="Codes of reports and findings."))
    def get_reasons(self, rating: SecondRating) -> list[str]:
        codes = set(rating.case.reports.values_list("reason_code", flat=True)[:100])
        found = {f["code"] for flag in rating.case.flags.order_by("-id")[:20] for f in flag.findings}
        return sorted(codes | found)


class SecondRatingSerializer(ModelSerializer):
    """A judgement that was given."""

    id = serializers.IntegerField(source="case_id")

    class Meta:
        model = SecondRating
        fields = ("id", "act", "reason_code", "rated_at")
        read_only_fields = fields


class AgreementSerializer(Serializer):
    """Over `n` pairs; `share` and `kappa` are null where they are undefined."""

    n = serializers.IntegerField()
    agreed = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    kappa = serializers.FloatField(allow_null=True, help_text="Cohen's kappa.")


class CodeAgreementSerializer(AgreementSerializer):
    """For one reason against all others."""

    code = serializers.CharField()


class AgreementFiguresSerializer(Serializer):
    """How far second raters agree with first decisions, on the act, the reason, and each reason."""

    n = serializers.IntegerField()
    act = AgreementSerializer()
    reason_code = AgreementSerializer()
    by_reason_code = CodeAgreementSerializer(many=True)
