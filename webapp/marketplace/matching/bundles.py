"""The served model of this process: loaded once, shared by its threads, replaced when the pointer moves.

Belongs here: loading and watching bundles. Not here: what is done with a recommender (services).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog
from django.conf import settings

from ml.serving import BundleError, NoBundle, Recommender, load_recommender
from ml.serving.bundle import pointer_stamp
from ml.serving.recommender import NAME

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The current recommender, or None with the reason in words a user may read."""

    recommender: Recommender | None
    reason: str = ""


class _Cache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[str, tuple[int, int] | None] | None = None
        self._loaded = Loaded(None, "no model was loaded yet")

    def current(self) -> Loaded:
        """Costs one stat when the pointer has not moved; a bundle that cannot be trusted is told once and not served."""
        stamp = (str(settings.BUNDLES), pointer_stamp(settings.BUNDLES, NAME))
        if stamp == self._stamp:
            return self._loaded
        with self._lock:
            if stamp != self._stamp:
                self._loaded, self._stamp = self._load(), stamp
            return self._loaded

    @staticmethod
    def _load() -> Loaded:
        try:
            found = load_recommender(settings.BUNDLES)
        except NoBundle:
            return Loaded(None, "no model was loaded yet")
        except BundleError as e:
            log.error("bundle_refused", name=NAME, error=str(e))
            return Loaded(None, "the model's files are damaged")
        log.info("bundle_loaded", name=NAME, version=found.version, publish_id=found.publish_id)
        return Loaded(found)


_cache = _Cache()


def current() -> Loaded:
    """What this process serves now."""
    return _cache.current()
