"""Paid reports: from history to HTML to PDF."""
