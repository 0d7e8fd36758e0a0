"""The life of a check by staff, of a data export and of an account's closing."""

from __future__ import annotations

from marketplace.core.states import Machine

_CHECK = {
    **{(s, "verify"): ("verified", {"staff"}) for s in ("unchecked", "refused")},
    **{(s, "refuse"): ("refused", {"staff"}) for s in ("unchecked", "verified")},
    # what was checked was changed by its owner: the word of staff no longer stands for it
    **{(s, "recheck"): ("unchecked", {"owner"}) for s in ("verified", "refused")},
}
CERTIFICATION = Machine("certification", "unchecked", _CHECK)
COMPANY = Machine("company", "unchecked", _CHECK)

EXPORT = Machine(
    "export",
    "queued",
    {
        ("queued", "start"): ("running", {"system"}),
        ("running", "retry"): ("queued", {"system"}),
        ("running", "finish"): ("ready", {"system"}),
        **{(s, "fail"): ("failed", {"system"}) for s in ("queued", "running")},
        ("ready", "expire"): ("expired", {"system"}),
    },
)
LIVE_EXPORTS = ("queued", "running")

CLOSING = Machine(
    "closing",
    "pending",
    {
        ("pending", "cancel"): ("cancelled", {"owner"}),
        ("pending", "shut"): ("shut", {"system"}),
        ("shut", "erase"): ("erased", {"system"}),
    },
)
