"""The serving side of the models: recommendations with their explanation. Training lives in ml/, outside Django."""
