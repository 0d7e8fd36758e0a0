from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "marketplace.trust"
    label = "trust"

    def ready(self) -> None:
        from marketplace.core import ports

        from . import events, personal, selectors

        events.connect()
        ports.rating_of.register("trust", selectors.rating)
        ports.ratings_of.register("trust", selectors.ratings)
        ports.personal_data.register("trust", personal.exported)
