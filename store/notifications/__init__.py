"""Notifications: creation, outbox, delivery."""
