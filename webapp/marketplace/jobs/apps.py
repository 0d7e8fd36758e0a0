from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "marketplace.jobs"
    label = "jobs"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import events, selectors

        events.connect()
        ports.client_history.register("jobs", selectors.client_history)
        ports.taxonomy.register("jobs", selectors.terms)
        ports.file_readers.register("jobs.job", selectors.reads_file)
