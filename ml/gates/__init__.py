"""Whether a model may be promoted, with reasons."""
