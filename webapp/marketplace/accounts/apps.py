from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "marketplace.accounts"
    label = "accounts"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import groups, personal, schema, selectors, sessions

        sessions.connect()
        schema.register()
        ports.file_readers.register("accounts.profile", selectors.reads_file)
        post_migrate.connect(groups.lay_after_migrate, sender=self, dispatch_uid="accounts.groups")
        ports.personal_data.register("accounts", personal.exported)
        ports.closing_obstacles.register("accounts", personal.obstacles)
