"""Polled catalogs: when each term is due, and what the answers change."""
