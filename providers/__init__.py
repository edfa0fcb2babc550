"""Requests to services of other companies that answer late and at length."""
