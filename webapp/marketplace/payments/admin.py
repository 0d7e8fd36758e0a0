"""The money tables for finance staff: to read, and to let held payouts go or refuse them. Nothing else can be changed by hand."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from marketplace.core.admin import ClosedInline, StaffAdmin
from marketplace.core.money import Money
from marketplace.core.policies import staff_may

from .models import (
    Account,
    AccountBalance,
    Chargeback,
    DebtWriteOff,
    Difference,
    Entry,
    FeeProposal,
    FeeSchedule,
    FxRate,
    HandRate,
    Payment,
    PaymentRefund,
    Payout,
    PayoutMethod,
    PayoutSchedule,
    Posting,
    ProcessorFile,
    ProcessorFileError,
    ReconciliationRun,
    ReconciliationTotal,
    RiskHold,
    WebhookEvent,
    WebhookRefusal,
)
from .payout_methods import label_of
from .reconciliation.overview import overview
from .redact import redacted


class MoneyAdmin(StaffAdmin):
    """The money tables, for those who may see payments."""

    see = "payments_see"


def money_of(column: str, words: str) -> Any:
    """A column of minor units as people read it; a dash where it holds nothing."""

    @admin.display(description=words, ordering=column)
    def shown(site: Any, row: Any) -> str:
        minor = getattr(row, column)
        return "–" if minor is None else str(Money(minor, row.currency))

    return shown


class PostingInline(ClosedInline):
    model = Posting
    fields = ("line_no", "leg", "debit_account", "credit_account", "moved")
    readonly_fields = ("moved",)
    moved = money_of("amount", "amount")


@admin.register(Entry)
class EntryAdmin(MoneyAdmin):
    list_display = ("id", "kind", "idempotency_key", "contract_id", "gross_minor", "rule", "occurred_at")
    list_filter = ("kind", "rule")
    search_fields = ("=idempotency_key", "=contract_id")
    inlines = (PostingInline,)


@admin.register(Account)
class AccountAdmin(MoneyAdmin):
    list_display = ("id", "key", "kind", "currency", "user")
    list_filter = ("kind", "currency")
    search_fields = ("=key",)
    list_select_related = ("user",)


@admin.register(AccountBalance)
class AccountBalanceAdmin(MoneyAdmin):
    list_display = ("account", "available", "postings")
    list_select_related = ("account",)


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ("id", "provider", "state", "payer", "asked", "last_result", "failure_code", "created_at")
    list_filter = ("provider", "state", "last_result", "currency", "created_at")
    search_fields = ("=id", "=payer__id", "=provider_ref")
    list_select_related = ("payer",)
    # the method may name a person, and what the payer still has to do holds the gateway's secret
    exclude = ("method", "action")
    readonly_fields = ("paid_by",)
    asked = money_of("amount_minor", "amount")
    bulk_acts = ("payment_query",)

    @admin.display(description="means of payment")
    def paid_by(self, row: Payment) -> str:
        return label_of(row.provider, row.method)


@admin.register(PaymentRefund)
class PaymentRefundAdmin(MoneyAdmin):
    list_display = ("id", "payment", "provider", "state", "asked", "failure_code", "created_at")
    asked = money_of("amount_minor", "amount")
    list_filter = ("provider", "state", "currency", "created_at")
    search_fields = ("=id", "=payment__id", "=provider_ref")
    list_select_related = ("payment",)
    bulk_acts = ("refund_query",)


@admin.register(Chargeback)
class ChargebackAdmin(MoneyAdmin):
    list_display = ("id", "payment", "provider", "state", "asked", "owed", "reason", "created_at")
    asked = money_of("amount_minor", "amount")
    owed = money_of("owed_minor", "owed")
    list_filter = ("provider", "state", "currency", "created_at")
    search_fields = ("=id", "=payment__id", "=provider_ref")
    list_select_related = ("payment",)


@admin.register(Payout)
class PayoutAdmin(MoneyAdmin):
    list_display = ("id", "provider", "state", "payee", "asked", "hold_reason", "held_until", "failure_code", "created_at")
    asked = money_of("amount_minor", "amount")
    list_filter = ("provider", "state", "hold_reason", "currency", "created_at")
    search_fields = ("=id", "=payee__id", "=provider_ref")
    list_select_related = ("payee",)
    exclude = ("method",)
    readonly_fields = ("paid_to",)
    bulk_acts = ("payout_allow", "payout_refuse", "payout_query")

    @admin.display(description="place")
    def paid_to(self, row: Payout) -> str:
        return label_of(row.provider, row.method)


@admin.register(RiskHold)
class RiskHoldAdmin(MoneyAdmin):
    list_display = ("id", "rule", "act", "subject_id", "user", "state", "shadow", "opened_at", "ends_at", "decided_at")
    list_filter = ("rule", "state", "shadow", "act", "opened_at")
    search_fields = ("=subject_id", "=user__id")
    list_select_related = ("user",)


@admin.register(PayoutMethod)
class PayoutMethodAdmin(MoneyAdmin):
    list_display = ("id", "user", "provider", "state", "label", "is_default", "added_at", "usable_at", "checked_at", "removed_at")
    list_filter = ("provider", "state")
    search_fields = ("=user__id",)
    list_select_related = ("user",)
    exclude = ("details",)


@admin.register(PayoutSchedule)
class PayoutScheduleAdmin(MoneyAdmin):
    list_display = ("id", "user", "currency", "pace", "least_minor", "next_at", "last_at", "last_result")
    list_filter = ("pace", "currency", "last_result")
    search_fields = ("=user__id",)
    list_select_related = ("user",)


@admin.register(FxRate)
class FxRateAdmin(MoneyAdmin):
    list_display = ("base", "quote", "rate", "spread_bps", "source", "as_of")
    list_filter = ("source", "base")


@admin.register(HandRate)
class HandRateAdmin(MoneyAdmin):
    """To read: a rate is set and decided on through the API, which asks a second person."""

    list_display = ("currency", "per_usd", "known_per_usd", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state", "currency")
    list_select_related = ("asked_by", "decided_by")


@admin.register(DebtWriteOff)
class DebtWriteOffAdmin(MoneyAdmin):
    """To read: asked for and decided on through the API, which asks a second person."""

    list_display = ("account", "amount_minor", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("account", "asked_by", "decided_by")


@admin.register(FeeSchedule)
class FeeScheduleAdmin(MoneyAdmin):
    list_display = ("version", "freelancer_fee_bps", "tax_bps", "tiers", "minimum", "active_from")


@admin.register(FeeProposal)
class FeeProposalAdmin(MoneyAdmin):
    """To read: a version is proposed and published through the API, which asks a second person."""

    list_display = ("version", "active_from", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("asked_by", "decided_by")


class _WithoutBody(MoneyAdmin):
    """The body is shown with what may name a person taken out."""

    exclude = ("body",)
    readonly_fields = ("shown",)

    @admin.display(description="body, without what may name a person")
    def shown(self, row: WebhookEvent | WebhookRefusal) -> str:
        return json.dumps(redacted(row.body), indent=1, ensure_ascii=False)


@admin.register(WebhookEvent)
class WebhookEventAdmin(_WithoutBody):
    list_display = ("provider", "event_id", "kind", "object_ref", "received_at", "handled_at", "last_error")
    list_filter = ("provider", "kind", ("handled_at", admin.EmptyFieldListFilter), "received_at")
    search_fields = ("=event_id", "=object_ref")
    bulk_acts = ("webhook_replay",)


@admin.register(WebhookRefusal)
class WebhookRefusalAdmin(_WithoutBody):
    list_display = ("provider", "code", "reason", "size", "remote_ip", "times", "first_at", "last_at")
    list_filter = ("provider", "code", "last_at")


class TotalInline(ClosedInline):
    model = ReconciliationTotal
    fields = (
        *("provider", "ledger", "in_flight_amount", "uncovered_amount", "differences_amount", "unexplained"),
        *("matched", "in_flight", "uncovered", "differences"),
    )
    readonly_fields = fields[:6]
    provider = money_of("provider_minor", "gateway's balance")
    ledger = money_of("ledger_minor", "our clearing")
    in_flight_amount = money_of("in_flight_minor", "in flight")
    uncovered_amount = money_of("uncovered_minor", "not covered")
    differences_amount = money_of("differences_minor", "differences")
    unexplained = money_of("unexplained_minor", "unexplained")


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(MoneyAdmin):
    """The days that were compared; the page of the whole, `overview/`, shows whether the money adds up."""

    list_display = ("provider", "day", "state", "listed_from", "finished_at", "last_error")
    list_filter = ("provider", "state")
    ordering = ("-day", "provider")
    inlines = (TotalInline,)
    list_before_template = "admin/reconciliation_link.html"

    def get_urls(self) -> list[URLPattern]:
        return [path("overview/", self.admin_site.admin_view(self.overview), name="payments_reconciliation"), *super().get_urls()]

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Conservation by currency, balances against their replay, what is unsettled and held by age. Sums the whole ledger."""
        if not staff_may(request.user, self.see):
            raise PermissionDenied
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Reconciliation",
            "opts": self.model._meta,
            "found": overview(),
        }
        return TemplateResponse(request, "admin/reconciliation.html", context)


@admin.register(Difference)
class DifferenceAdmin(MoneyAdmin):
    list_display = ("id", "provider", "kind", "about", "effect", "state", "owner", "since", "opened_at")
    list_filter = ("state", "kind", "provider", "currency")
    search_fields = ("=item",)
    list_select_related = ("owner",)

    @admin.display(description="item", ordering="item")
    def about(self, row: Difference) -> str:
        # a gateway's name of a movement is one long word: it is broken anywhere rather than cut off on a narrow screen
        return format_html('<span style="overflow-wrap: anywhere; white-space: normal">{}</span>', row.item)

    @admin.display(description="gateway has more by")
    def effect(self, row: Difference) -> str:
        return str(row.effect_amount)


class ProblemInline(ClosedInline):
    model = ProcessorFileError
    fields = ("line_no", "message", "text")


@admin.register(ProcessorFile)
class ProcessorFileAdmin(MoneyAdmin):
    list_display = ("id", "provider", "name", "uploaded_at", "rows", "stored", "known", "skipped", "errors")
    list_filter = ("provider",)
    inlines = (ProblemInline,)
