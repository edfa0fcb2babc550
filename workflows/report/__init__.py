"""Paid reports: from histories to one HTML document, and from that to a PDF."""
