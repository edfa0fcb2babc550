"""Backup archives: dump and restore."""
