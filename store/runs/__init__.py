"""Runs and their batches."""
