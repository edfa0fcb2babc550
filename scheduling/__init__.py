"""Timed triggers. They only publish."""
