"""Clients of external services, and the HTTP and storage plumbing they share."""
