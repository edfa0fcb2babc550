"""Notifications on their way out: the outbox."""
