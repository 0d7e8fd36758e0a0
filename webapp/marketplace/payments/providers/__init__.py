"""Payment gateways behind one protocol (providers.base); chosen by name."""

from __future__ import annotations

from marketplace.core.errors import InvalidInput

from .base import Gateway
from .sandbox import Sandbox

_GATEWAYS: dict[str, Gateway] = {Sandbox.name: Sandbox()}


def gateway(name: str) -> Gateway:
    """The gateway of that name. Raises InvalidInput("provider_unknown")."""
    found = _GATEWAYS.get(name)
    if found is None:
        known = ", ".join(sorted(_GATEWAYS))
        raise InvalidInput("provider_unknown", f"{name!r} is not a payment provider here. Use one of: {known}.", {"provider": ["Unknown."]})
    return found
