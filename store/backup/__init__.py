"""Backup archives."""
