"""The staff's site: tables to read, each behind one of policies.STAFF_ACTIONS, and acts that go through the same services as the API's.

Nothing is added, edited or deleted by hand here: states, money and their events change in services only. Whatever is done to rows asks for a
reason and becomes a bulk act, whose page shows how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.validators import RegexValidator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from . import bulk, features
from .checks import UNPRINTABLE
from .errors import DomainError
from .models import BulkAct, Delivery, Event, FeatureSetting, StaffAct
from .policies import staff_may


class _Closed:
    """Seen, never changed by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ClosedInline(_Closed, TabularInline):
    """Rows that belong to the one shown; who sees that one sees them."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class StaffAdmin(_Closed, ModelAdmin):
    """A table that those who may `see` read, with `bulk_acts` (names in core.bulk.ACTS) for those who may do them."""

    see = "records_see"
    bulk_acts: Sequence[str] = ()
    show_full_result_count = False
    list_fullwidth = True
    list_filter_submit = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return staff_may(request.user, self.see)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_may(request.user, self.see)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the page offers as a filter. Django lets an address ask about any own column, by its beginning too: a password's hash would
        be read character by character."""
        offered = {entry if isinstance(entry, str) else entry[0] for entry in self.get_list_filter(request)}
        return any(lookup == name or lookup.startswith(f"{name}__") for name in offered) and super().lookup_allowed(lookup, value, request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        acts = {name: bulk.ACTS[name] for name in self.bulk_acts}
        return {name: (_asking(name), name, act.words) for name, act in acts.items() if staff_may(request.user, act.action)}


class ReasonForm(forms.Form):
    """Why something is done: written to the audit and, where it concerns them, told to the people."""

    reason = forms.CharField(
        max_length=bulk.REASON_LENGTH,
        validators=[RegexValidator(UNPRINTABLE, "Remove the control characters.", inverse_match=True)],
        widget=UnfoldAdminTextInputWidget,
        help_text="Goes to the audit with your name; the people it concerns read it.",
    )


def _asking(name: str) -> Callable[..., HttpResponse | None]:
    """The admin action that asks for the reason, starts the bulk act and leads to its page."""

    def ask(site: StaffAdmin, request: HttpRequest, rows: QuerySet[Model]) -> HttpResponse | None:
        act = bulk.ACTS[name]
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: bulk.MOST_OBJECTS + 1])
        if len(ids) > bulk.MOST_OBJECTS:
            site.message_user(request, f"Choose at most {bulk.MOST_OBJECTS} rows at a time.", messages.ERROR)
            return None
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            try:
                started = bulk.start(actor=request.user, name=name, object_ids=ids, reason=form.cleaned_data["reason"])
            except DomainError as e:
                site.message_user(request, e.message, messages.ERROR)
                return None
            return HttpResponseRedirect(reverse("admin:core_bulkact_change", args=[started.pk]))
        context = {
            **site.admin_site.each_context(request),
            "title": act.words,
            "opts": site.model._meta,
            "form": form,
            "action": name,
            "chosen": request.POST.getlist("_selected_action"),
            "across": request.POST.get("select_across", "0"),
            "count": len(ids),
        }
        return TemplateResponse(request, "admin/staff_reason.html", context)

    ask.__name__ = name
    return ask


@admin.register(BulkAct)
class BulkActAdmin(StaffAdmin):
    list_display = ("id", "name", "actor_id", "total", "done", "refused", "failed", "created_at", "finished_at")
    list_filter = ("name",)
    fields = ("name", "actor_id", "reason", "created_at", "finished_at")
    change_form_before_template = "admin/bulk_progress.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAct]:
        return bulk.acts_for(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return any(staff_may(request.user, act.action) for act in bulk.ACTS.values())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    @admin.display(description="objects")
    def total(self, act: BulkAct) -> int:
        return len(act.object_ids)


class FeatureForm(forms.ModelForm):
    """A value within its bounds, and why."""

    reason = ReasonForm.base_fields["reason"]

    class Meta:
        model = FeatureSetting
        fields = ("value",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        feature = features.FEATURES[self.instance.name]
        default = features.default(self.instance.name)
        if feature.is_switch:
            choices = [("", f"default ({'on' if default else 'off'})"), ("true", "on"), ("false", "off")]
            self.fields["value"] = forms.TypedChoiceField(
                choices=choices, required=False, coerce=lambda v: v == "true", empty_value=None, widget=UnfoldAdminSelectWidget
            )
            self.initial["value"] = {True: "true", False: "false"}.get(self.instance.value, "")
        else:
            self.fields["value"] = forms.IntegerField(
                required=False, min_value=feature.low, max_value=feature.high, widget=UnfoldAdminTextInputWidget
            )
            self.fields["value"].help_text = f"{feature.low} to {feature.high}; empty is the default, {default}."
        self.fields["value"].label = feature.words


@admin.register(FeatureSetting)
class FeatureSettingAdmin(StaffAdmin):
    see = "settings_change"
    list_display = ("name", "words", "counts", "value")
    form = FeatureForm
    fields = ("value", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeatureSetting]:
        features.lay()
        return super().get_queryset(request).filter(name__in=features.FEATURES).order_by("name")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return staff_may(request.user, self.see)

    @admin.display(description="what it does")
    def words(self, row: FeatureSetting) -> str:
        return features.FEATURES[row.name].words

    @admin.display(description="counts now")
    def counts(self, row: FeatureSetting) -> str:
        return str(features.value(row.name))

    def save_model(self, request: HttpRequest, obj: FeatureSetting, form: FeatureForm, change: bool) -> None:
        features.put(actor=request.user, name=obj.name, value=form.cleaned_data["value"], reason=form.cleaned_data["reason"])

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None  # core.audit has it, with the reason


@admin.register(StaffAct)
class StaffActAdmin(StaffAdmin):
    see = "audit_see"
    list_display = ("id", "at", "actor_id", "action", "object_type", "object_id", "field", "reason")
    list_filter = ("action", "object_type")
    search_fields = ("=actor_id", "=object_id")


@admin.register(Event)
class EventAdmin(StaffAdmin):
    see = "audit_see"
    list_display = ("id", "occurred_at", "kind", "aggregate_type", "aggregate_id", "version", "actor_id", "reason")
    search_fields = ("=kind", "=aggregate_id")


@admin.register(Delivery)
class DeliveryAdmin(StaffAdmin):
    see = "audit_see"
    list_display = ("id", "event_id", "handler", "state", "attempts", "next_try_at", "last_error")
    list_filter = ("state", "handler")
