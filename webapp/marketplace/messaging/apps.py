from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "marketplace.messaging"
    label = "messaging"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import personal

        ports.personal_data.register("messaging", personal.exported)
