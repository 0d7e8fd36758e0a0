from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "marketplace.payments"
    label = "payments"

    def ready(self) -> None:
        from marketplace.core import bulk, ports

        from . import events, payouts, personal, seeds
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

        events.connect()
        triggers.register()
        post_migrate.connect(seeds.after_migrate, sender=self, dispatch_uid="payments.seeds")
        ports.personal_data.register("payments", personal.exported)
        ports.closing_obstacles.register("payments", personal.obstacles)
