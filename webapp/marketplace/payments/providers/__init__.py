"""Payment gateways behind one protocol (providers.base); chosen by name among those that settings.PAYMENT_PROVIDERS lets in."""

from __future__ import annotations

from django.conf import settings

from marketplace.core.errors import InvalidInput

from .base import Gateway
from .sandbox import Sandbox

_GATEWAYS: dict[str, Gateway] = {Sandbox.name: Sandbox()}


def gateway(name: str) -> Gateway:
    """The gateway of that name. Raises InvalidInput("provider_unknown") for one that this installation does not have."""
    here = sorted(_GATEWAYS.keys() & set(settings.PAYMENT_PROVIDERS))
    found = _GATEWAYS[name] if name in here else None
    if found is None:
        known = f"Use one of: {', '.join(here)}." if here else "None is set up yet."
        raise InvalidInput("provider_unknown", f"{name!r} is not a payment provider here. {known}", {"provider": ["Unknown."]})
    return found
