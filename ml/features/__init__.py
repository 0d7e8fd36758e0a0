"""From documented Polars frames to the arrays that training and serving share."""
