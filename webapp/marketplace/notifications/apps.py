from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "marketplace.notifications"
    label = "notifications"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import events, personal  # noqa: F401  (registers its handlers)

        ports.personal_data.register("notifications", personal.exported)
