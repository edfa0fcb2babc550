"""Durable jobs: rows, execution and callbacks."""
