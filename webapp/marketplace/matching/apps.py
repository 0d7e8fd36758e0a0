from django.apps import AppConfig


class MatchingConfig(AppConfig):
    name = "marketplace.matching"
    label = "matching"

    def ready(self) -> None:
        from marketplace.activity import capture
        from marketplace.core import ports

        from . import personal
        from .served import write_served_scores

        capture.writers["served_scores"] = write_served_scores
        ports.personal_data.register("matching", personal.exported)
