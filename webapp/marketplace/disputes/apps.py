from django.apps import AppConfig


class DisputesConfig(AppConfig):
    name = "marketplace.disputes"
    label = "disputes"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import personal, selectors

        ports.disputes_of.register("disputes", selectors.newest_of)
        ports.file_readers.register("disputes.evidence", selectors.reads_file)
        ports.personal_data.register("disputes", personal.exported)
        ports.closing_obstacles.register("disputes", personal.obstacles)
