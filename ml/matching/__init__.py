"""Matching: train, evaluate, export. Serving is in ml.serving."""
