from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "marketplace.jobs"
    label = "jobs"

    def ready(self) -> None:
        from marketplace.core import bulk, ports, triggers

        from . import credits, events, personal, proposal_selectors, selectors
        from .services import moderation, standstill

        events.connect()
        ports.client_history.register("jobs", selectors.client_history)
        ports.suspension_lifted.register("jobs", standstill.go_on)
        ports.taxonomy.register("jobs", selectors.terms)
        ports.file_readers.register("jobs.job", selectors.reads_file)
        ports.file_readers.register("jobs.proposal", proposal_selectors.reads_file)
        for name, words in (
            ("job_hold", "Hold for review: nobody sees it meanwhile"),
            ("job_clear", "Clear: nothing was found against it"),
            ("job_remove", "Remove"),
            ("job_restore", "Bring back what was removed"),
        ):
            bulk.register(name, bulk.Act(words, "job_moderate", "jobs.job", bulk.by(getattr(moderation, name), "job_id")))
        triggers.append_only("jobs_bidcreditmovement")
        triggers.append_only("jobs_bidcreditrule")
        post_migrate.connect(credits.after_migrate, sender=self, dispatch_uid="jobs.credits")
        ports.personal_data.register("jobs", personal.exported)
