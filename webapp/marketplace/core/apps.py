from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    name = "marketplace.core"
    label = "core"

    def ready(self) -> None:
        from . import triggers

        triggers.append_only("core_event")
        triggers.append_only("core_staffact")
        post_migrate.connect(triggers.lay_after_migrate, dispatch_uid="core.triggers")
