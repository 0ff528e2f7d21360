"""Data sets from recorded, logged and fresh play."""
