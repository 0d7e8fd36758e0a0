"""Comparing our clearing accounts with the gateways' own books, day by day, and what follows from it.

compare: arithmetic alone · reading: what gateways tell · formats, importing: their files · runs: a day · differences: what people do with
what is left over · overview: figures for staff · publishing: figures for everybody.
"""
