"""Every table that names a person has two decisions: what of it they can take along, and what becomes of it when they leave."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from marketplace.accounts import exporting
from marketplace.accounts.models import User

#: columns without a foreign key (numbers that point down, or to no table) that name a person
NUMBERS = {"user_id", "owner_id", "actor_id", "actor_key", "person_id"}

#: tables that name a person and are not in their export, with the reason. The right answer to a failing test is mostly a line in the app's
#: personal.py, not one here.
NOT_EXPORTED = {
    "accounts_user_user_permissions": "which permissions staff hold is the house's, not theirs",
    "allauth_idp_oidc_client": "the house's own clients (dashboards); nobody's",
    "core_bulkact": "what staff did, for the house's own supervision",
    "core_event": "the history of objects that are exported themselves, kept by object; it tells which fields changed (test_events_tell_no_texts.py)",
    "core_idempotencyrecord": "answers that were given before, of data that is exported itself; forgotten after 30 days",
    "core_staffact": "what staff did, for the house's own supervision",
    "payments_difference": "which member of staff takes care of a difference with a gateway",
    "payments_feeproposal": "which member of staff proposed a version of the fees, and who agreed",
    "payments_handrate": "which member of staff set an exchange rate by hand, and who agreed",
    "payments_payoutresolution": "which member of staff asks that a payout fails, until it is decided",
    "payments_processorfile": "which member of staff read a gateway's file",
    "trust_secondrating": "how a moderator judged a case again, for the house's own supervision",
    "django_admin_log": "what staff did, for the house's own supervision",
}

ERASED, KEPT = "erased", "kept"
#: what closing an account does to each table that names a person; docs/retention.md tells people the same
ON_CLOSING = {
    **dict.fromkeys(
        (
            "account_emailaddress",
            "mfa_authenticator",
            "socialaccount_socialaccount",
            "usersessions_usersession",
            "allauth_idp_oidc_token",
            "accounts_user_groups",
            "accounts_user_user_permissions",
            "accounts_apitoken",
            "accounts_profileentry",
            "accounts_signin",
            "accounts_freelancerskill",
            "contracts_calendarfeed",
            "core_idempotencyrecord",
            "jobs_jobmark",
            "jobs_savedsearch",
            "jobs_shortlist",
            "jobs_shortlistitem",
            "notifications_inboxitem",
            "notifications_letter",
            "notifications_preference",
            "payments_payoutmethod",
            "payments_payoutschedule",
            "payments_taxprofile",
        ),
        ERASED,
    ),
    **dict.fromkeys(
        (
            "accounts_user",
            "accounts_clientprofile",
            "accounts_companydetails",
            "accounts_freelancerprofile",
            "accounts_dataexport",
            "accounts_accountclosing",
            "accounts_impersonation",
            "accounts_suspension",
            "activity_impression",
            "activity_search",
            "activity_view",
            "allauth_idp_oidc_client",
            "contracts_capchange",
            "contracts_contract",
            "contracts_workrequest",
            "core_bulkact",
            "core_event",
            "core_staffact",
            "core_storedfile",
            "disputes_dispute",
            "disputes_evidence",
            "django_admin_log",
            "jobs_bidcreditaccount",
            "jobs_invitation",
            "jobs_job",
            "jobs_jobchange",
            "jobs_proposal",
            "matching_servedscore",
            "messaging_conversation",
            "messaging_message",
            "payments_account",
            "payments_debtwriteoff",
            "payments_difference",
            "payments_document",
            "payments_fxquote",
            "payments_gatewaycustomer",
            "payments_entry",
            "payments_feeproposal",
            "payments_handrate",
            "payments_payment",
            "payments_payout",
            "payments_payoutresolution",
            "payments_processorfile",
            "payments_savedmethod",
            "payments_riskhold",
            "trust_case",
            "trust_checkedtext",
            "trust_report",
            "trust_review",
            "trust_secondrating",
        ),
        KEPT,
    ),
}


def tables_naming_a_person() -> dict[str, list[tuple[Any, str]]]:
    """Table → its model and the columns that name a person."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or not model._meta.managed or model._meta.app_label == "simulation":
            continue
        for field in model._meta.concrete_fields:
            remote = getattr(field.remote_field, "model", None)
            if remote is User or field.name in NUMBERS:
                found.setdefault(model._meta.db_table, []).append((model, field.name))
    return found


def test_every_table_that_names_a_person_is_exported_or_says_why_not(alice: User) -> None:
    exported = {table for _, part in exporting.parts_of(alice.pk) for table in part.tables}
    naming = set(tables_naming_a_person())
    assert naming - exported - set(NOT_EXPORTED) == set(), "add it to the app's personal.py, or to NOT_EXPORTED with a reason"
    assert exported & set(NOT_EXPORTED) == set() and set(NOT_EXPORTED) <= naming, "this reason is out of date"
    assert all(len(reason) > 20 for reason in NOT_EXPORTED.values())


def test_every_table_that_names_a_person_has_a_rule_for_closing() -> None:
    naming = set(tables_naming_a_person())
    assert naming - set(ON_CLOSING) == set(), "say what closing does to it: here, in docs/retention.md and in the app's personal.py"


@pytest.mark.django_db
def test_every_part_can_be_read_and_has_its_columns(bob: User, alice: User) -> None:
    names = [name for name, _ in exporting.parts_of(bob.pk)]
    assert len(names) == len(set(names))
    for name, part in exporting.parts_of(bob.pk):
        for row in part.rows():
            assert tuple(row) == part.columns, name
