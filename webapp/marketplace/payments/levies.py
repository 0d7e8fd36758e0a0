"""What a payment to a person bears, from their tax details and the installation's: the one place where taxes meet the database."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.conf import settings

from marketplace.accounts.selectors import users_by_id
from marketplace.core import clock, events
from marketplace.core.checks import Checks, countries
from marketplace.core.errors import InvalidInput
from marketplace.core.policies import Actor
from marketplace.core.transactions import unit_of_work

from . import taxes
from .models import TaxProfile
from .taxes import Levy, Party, Tax

FIELDS = ("legal_name", "street", "postcode", "city", "country", "vat_id", "tax_number")


def seller() -> Party:
    """The installation itself, as a party."""
    said: dict[str, Any] = settings.SELLER
    return Party(said["country"], said["vat_id"], said["registrations"])


def charges_tax() -> bool:
    """Whether the installation has to charge or withhold anything at all."""
    said: dict[str, Any] = settings.SELLER
    return bool(said["vat_id"] or said["registrations"] or said["withholds"])


def profiles_of(user_ids: list[int]) -> dict[int, TaxProfile]:
    """The tax details of these users, country and name from the account where they left them out; unsaved ones for whoever gave none. Two queries."""
    people = users_by_id(user_ids)
    given = {p.user_id: p for p in TaxProfile.objects.filter(user_id__in=user_ids)}
    found = {}
    for user_id, user in people.items():
        profile = given.get(user_id) or TaxProfile(user=user)
        profile.country = profile.country or user.country
        company = getattr(getattr(user, "client_profile", None), "company_name", "")
        profile.legal_name = profile.legal_name or company or user.display_name
        found[user_id] = profile
    return found


def party_of(profile: TaxProfile) -> Party:
    """A person as a party."""
    return Party(profile.country, profile.vat_id)


def levy_for(payee_id: int, on: date) -> Levy | None:
    """What a payment to this person bears on that day by the current table; None when the installation charges nothing."""
    if not charges_tax():
        return None
    profile = profiles_of([payee_id])[payee_id]
    rates = taxes.table(settings.TAX_TABLE)
    tax = taxes.on_service(supplier=seller(), customer=party_of(profile), on=on, rates=rates, electronic=True)
    withheld = 0
    if profile.country in settings.SELLER["withholds"]:
        withheld = rates.withheld(profile.country, on, tax_number=bool(profile.tax_number or profile.vat_id))
    return Levy(tax, withheld, profile.country if withheld else "")


def wrong_in(stored: dict[str, Any], at: datetime) -> str:
    """What is wrong with a levy kept in an entry of that instant, by the table it names; empty when nothing is."""
    try:
        levy = taxes.levy_stored(stored)
        rates = taxes.table(levy.tax.table)
    except (KeyError, TypeError, InvalidInput) as e:
        return f"unreadable: {e}"
    expected = rates.rate(levy.tax.country, at.date()) if levy.tax.category == "S" else 0
    if levy.tax.rate_bps != expected:
        return f"{levy.tax.country} is taxed at {levy.tax.rate_bps}, the table says {expected}"
    kept = {rates.withheld(levy.withheld_for, at.date(), tax_number=known) for known in (True, False)} if levy.withheld_for else {0}
    return "" if levy.withheld_bps in kept else f"{levy.withheld_bps} withheld, the table says {sorted(kept)}"


def on_work(freelancer: TaxProfile, client: TaxProfile, on: date) -> Tax:
    """The tax that a freelancer's price holds: work of people, not electronic. Where the table has no rate none is stated: a number of
    a country without VAT, or of one that we do not know, must not keep the invoice from being written.
    """
    rates = taxes.table(settings.TAX_TABLE)
    supplier = party_of(freelancer)
    try:
        return taxes.on_service(supplier=supplier, customer=party_of(client), on=on, rates=rates, electronic=False)
    except InvalidInput:
        return Tax(rates.version, "O", rates.same_as.get(supplier.country, supplier.country), 0, "no_rate")


def tax_profile_of(user_id: int) -> TaxProfile:
    """What the person told, as they told it; an unsaved row when they told nothing."""
    return TaxProfile.objects.filter(user_id=user_id).first() or TaxProfile(user_id=user_id)


@unit_of_work
def tax_profile_put(*, actor: Actor, **given: str) -> TaxProfile:
    """Say or change what goes on one's documents from now on. Raises InvalidInput with a message per field."""
    account = users_by_id([actor.pk])[actor.pk]
    checked = Checks()
    longest = {name: int(TaxProfile._meta.get_field(name).max_length or 0) for name in FIELDS}  # type: ignore[union-attr]
    values = {name: checked.text(name, given.get(name, ""), longest=longest[name]).strip() for name in FIELDS}
    values["country"] = values["country"].upper()
    if values["country"] and values["country"] not in countries():
        checked.add("country", "Use two letters of ISO 3166-1, such as DE.")
    checked.raise_if_any()
    values["vat_id"] = taxes.vat_id(values["vat_id"], values["country"] or account.country)
    profile, _ = TaxProfile.objects.select_for_update().get_or_create(user_id=actor.pk, defaults={"changed_at": clock.now()})
    changed = sorted(name for name in FIELDS if getattr(profile, name) != values[name])
    if changed:
        for name, value in values.items():
            setattr(profile, name, value)
        profile.changed_at = clock.now()
        profile.save()
        # the event tells that and when; what was given stays where it can be erased
        events.record(aggregate=profile, kind="tax_profile.change", actor_id=actor.pk, after={"fields": changed})
    return profile
