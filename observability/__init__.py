"""Metrics, structured logs and health."""
