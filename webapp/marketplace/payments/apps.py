from collections.abc import Callable
from functools import partial
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _ask_again(service: Callable[..., Any], kind: str, *, actor: Any, pk: int, reason: str) -> Any:
    return service(actor=actor, kind=kind, pk=pk, reason=reason)


class PaymentsConfig(AppConfig):
    name = "marketplace.payments"
    label = "payments"

    def ready(self) -> None:
        from marketplace.core import bulk, ports

        from . import events, oversight, payouts, personal, seeds
        from .ledger import triggers

        bulk.register(
            "payout_allow", bulk.Act("Let held payouts go", "payout_decide", "payments.payout", bulk.by(payouts.payout_allow, "payout_id"))
        )
        bulk.register(
            "payout_refuse",
            bulk.Act(
                "Refuse payouts; the money goes back to the balance",
                "payout_decide",
                "payments.payout",
                bulk.by(payouts.payout_refuse, "payout_id"),
            ),
        )

        for kind, model in (("payment", "payment"), ("refund", "paymentrefund"), ("payout", "payout")):
            work = partial(_ask_again, oversight.ask_again, kind)
            bulk.register(f"{kind}_query", bulk.Act("Ask the gateway again", oversight.QUERY, f"payments.{model}", work))
        bulk.register(
            "webhook_replay",
            bulk.Act("Handle once more", oversight.QUERY, "payments.webhookevent", bulk.by(oversight.webhook_replay, "webhook_id")),
        )
        events.connect()
        triggers.register()
        post_migrate.connect(seeds.after_migrate, sender=self, dispatch_uid="payments.seeds")
        ports.personal_data.register("payments", personal.exported)
        ports.closing_obstacles.register("payments", personal.obstacles)
