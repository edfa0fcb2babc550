"""Runs, their slots and their batches."""
