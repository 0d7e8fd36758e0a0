from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "marketplace.activity"
    label = "activity"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import personal

        ports.personal_data.register("activity", personal.exported)
