from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "marketplace.jobs"
    label = "jobs"

    def ready(self) -> None:
        from marketplace.core import ports, triggers

        from . import credits, events, personal, proposal_selectors, selectors

        events.connect()
        ports.client_history.register("jobs", selectors.client_history)
        ports.taxonomy.register("jobs", selectors.terms)
        ports.file_readers.register("jobs.job", selectors.reads_file)
        ports.file_readers.register("jobs.proposal", proposal_selectors.reads_file)
        triggers.append_only("jobs_bidcreditmovement")
        triggers.append_only("jobs_bidcreditrule")
        post_migrate.connect(credits.after_migrate, sender=self, dispatch_uid="jobs.credits")
        ports.personal_data.register("jobs", personal.exported)
