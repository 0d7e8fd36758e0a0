"""Reviews and what grows from them. Not here: sanctions' clocks (later rooms), the dispute's stages (disputes)."""
