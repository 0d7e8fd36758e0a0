from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "marketplace.payments"
    label = "payments"

    def ready(self) -> None:
        from marketplace.core import bulk, ports

        from . import payouts, personal, seeds
        from .ledger import triggers

        def allow(*, actor: Any, pk: int, reason: str) -> None:
            payouts.payout_allow(actor=actor, payout_id=pk, reason=reason)

        def refuse(*, actor: Any, pk: int, reason: str) -> None:
            payouts.payout_refuse(actor=actor, payout_id=pk, reason=reason)

        bulk.register("payout_allow", bulk.Act("Let held payouts go", "payout_decide", "payments.payout", allow))
        bulk.register(
            "payout_refuse", bulk.Act("Refuse payouts; the money goes back to the balance", "payout_decide", "payments.payout", refuse)
        )

        triggers.register()
        post_migrate.connect(seeds.after_migrate, sender=self, dispatch_uid="payments.seeds")
        ports.personal_data.register("payments", personal.exported)
        ports.closing_obstacles.register("payments", personal.obstacles)
