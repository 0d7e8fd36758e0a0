from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "marketplace.accounts"
    label = "accounts"

    def ready(self) -> None:
        from . import groups, schema, sessions

        sessions.connect()
        schema.register()
        post_migrate.connect(groups.lay_after_migrate, sender=self, dispatch_uid="accounts.groups")
