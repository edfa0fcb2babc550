"""Rendering letters, and the transports that send them."""
