from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "marketplace.accounts"
    label = "accounts"

    def ready(self) -> None:
        from marketplace.core import bulk, ports

        from . import groups, personal, schema, selectors, sessions, standing

        sessions.connect()
        schema.register()
        ports.file_readers.register("accounts.profile", selectors.reads_file)
        suspend, restore = bulk.by(standing.user_suspend, "user_id"), bulk.by(standing.user_restore, "user_id")
        bulk.register("user_suspend", bulk.Act("Suspend: keep out from now on", "account_manage", "accounts.user", suspend))
        bulk.register("user_restore", bulk.Act("Lift the suspension", "account_manage", "accounts.user", restore))
        post_migrate.connect(groups.lay_after_migrate, sender=self, dispatch_uid="accounts.groups")
        ports.personal_data.register("accounts", personal.exported)
        ports.closing_obstacles.register("accounts", personal.obstacles)
