"""The product: one Django app per noun. Imports go downwards only (see ARCHITECTURE.md)."""
