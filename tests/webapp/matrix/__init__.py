"""The permission matrix, a file an app."""
