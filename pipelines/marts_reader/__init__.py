"""The one door to published marts: resolve the pointer, open read-only, ask for metrics. Imports neither Dagster nor dbt.

    from pipelines import marts_reader
    marts_reader.metric("take_rate", by=["month"], where={"currency": ["USD", "EUR"]})      an Arrow table
    marts_reader.metric("gsv_released", by=["month"], currency="EUR")                        with each figure in euro beside it
    marts_reader.metrics()                                                                   what there is to ask
    marts_reader.trace("take_rate", {"month": "2026-03-01"})                                 what a figure was made of

A connection keeps seeing the publication it was opened on; ask `current()` again to follow the pointer.
"""

from .answers import metric, metrics
from .definitions import Dimension, Metric
from .pointer import POINTER, NothingPublished, Published, connect, current, open_read_only
from .question import BadQuestion, Between, MetricError, UnknownMetric
from .tracing import Trace, trace

__all__ = [
    "POINTER",
    "BadQuestion",
    "Between",
    "Dimension",
    "Metric",
    "MetricError",
    "NothingPublished",
    "Published",
    "Trace",
    "UnknownMetric",
    "connect",
    "current",
    "metric",
    "metrics",
    "open_read_only",
    "trace",
]
