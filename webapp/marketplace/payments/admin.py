"""The money tables for finance staff: to read, and to let held payouts go or refuse them. Nothing else can be changed by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace.core.errors import DomainError

from . import services
from .models import Account, AccountBalance, Entry, FeeSchedule, FxRate, Payment, Payout, Posting, WebhookEvent


class ReadOnly(admin.ModelAdmin):
    """No adding, changing or deleting."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PostingInline(admin.TabularInline):
    model = Posting
    extra = 0
    can_delete = False
    fields = ("line_no", "leg", "debit_account", "credit_account", "amount", "currency")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    list_display = ("id", "kind", "idempotency_key", "contract_id", "gross_minor", "rule", "occurred_at")
    list_filter = ("kind", "rule")
    search_fields = ("=idempotency_key", "=contract_id")
    inlines = (PostingInline,)
    show_full_result_count = False


@admin.register(Account)
class AccountAdmin(ReadOnly):
    list_display = ("id", "key", "kind", "currency", "user")
    list_filter = ("kind", "currency")
    search_fields = ("key",)
    list_select_related = ("user",)


@admin.register(AccountBalance)
class AccountBalanceAdmin(ReadOnly):
    list_display = ("account", "available", "postings")
    list_select_related = ("account",)


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ("id", "provider", "state", "payer", "amount_minor", "currency", "failure_code", "created_at")
    list_filter = ("provider", "state")
    list_select_related = ("payer",)


@admin.register(Payout)
class PayoutAdmin(ReadOnly):
    list_display = ("id", "provider", "state", "payee", "amount_minor", "currency", "hold_reason", "held_until", "created_at")
    list_filter = ("provider", "state", "hold_reason")
    list_select_related = ("payee",)
    actions = ("allow", "refuse")

    @admin.action(description="Let the held payouts go")
    def allow(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        self._each(request, queryset, services.payout_allow, "let go")

    @admin.action(description="Refuse; the money goes back to the balance")
    def refuse(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        self._each(request, queryset, services.payout_refuse, "refused")

    def _each(self, request: HttpRequest, queryset: QuerySet[Payout], service: Any, done: str) -> None:
        for payout in queryset:
            try:
                service(actor=request.user, payout_id=payout.pk, reason="decided in the admin")
            except DomainError as e:
                self.message_user(request, f"payout {payout.pk}: {e.message}", messages.ERROR)
            else:
                self.message_user(request, f"payout {payout.pk}: {done}")


@admin.register(FxRate)
class FxRateAdmin(ReadOnly):
    list_display = ("base", "quote", "rate", "spread_bps", "source", "as_of")
    list_filter = ("source", "base")


@admin.register(FeeSchedule)
class FeeScheduleAdmin(ReadOnly):
    list_display = ("version", "freelancer_fee_bps", "tax_bps", "active_from")


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly):
    list_display = ("provider", "event_id", "kind", "object_ref", "received_at", "handled_at", "last_error")
    list_filter = ("provider", "kind")
