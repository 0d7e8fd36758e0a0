"""Append-only capture of what people were shown and did: impressions, searches, views, request latency. Batched, off the request path."""
