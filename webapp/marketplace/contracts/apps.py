from django.apps import AppConfig


class ContractsConfig(AppConfig):
    name = "marketplace.contracts"
    label = "contracts"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import events, personal, selectors  # noqa: F401  (events registers its handlers)

        ports.client_history.register("contracts", selectors.client_history)
        ports.file_readers.register("contracts", selectors.reads_file)
        ports.subject_titles.register("contracts", selectors.subject_titles)
        ports.personal_data.register("contracts", personal.exported)
        ports.closing_obstacles.register("contracts", personal.obstacles)
