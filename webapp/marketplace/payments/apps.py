from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PaymentsConfig(AppConfig):
    name = "marketplace.payments"
    label = "payments"

    def ready(self) -> None:
        from . import seeds
        from .ledger import triggers

        triggers.register()
        post_migrate.connect(seeds.after_migrate, sender=self, dispatch_uid="payments.seeds")
