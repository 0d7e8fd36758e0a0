from django.apps import AppConfig


class ContractsConfig(AppConfig):
    name = "marketplace.contracts"
    label = "contracts"

    def ready(self) -> None:
        from . import events  # noqa: F401  (registers its handlers)
