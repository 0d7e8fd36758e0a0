"""What runs inside the web process: numpy only. No training code, no MLflow, no scikit-learn, no pickle.

A bundle is a folder of .npy arrays and JSON, named in a manifest with their sha256; arrays are memory-mapped and shared by the
workers of a host.
"""

from .bundle import BundleError, CorruptBundle, NoBundle, current, switch, verify, write
from .recommender import Part, Recommendation, Recommender, load_recommender

__all__ = [
    "BundleError",
    "CorruptBundle",
    "NoBundle",
    "Part",
    "Recommendation",
    "Recommender",
    "current",
    "load_recommender",
    "switch",
    "verify",
    "write",
]
