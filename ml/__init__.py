"""Models: features, data sets, training, gates, and the small serving side that the web process imports (ml.serving)."""
