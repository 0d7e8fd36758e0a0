"""The sample market, for demos, tests and measuring models. The product never imports it.

The simulator's truth (latent quality, planted fraud) is kept in files apart from the product's tables.
"""
