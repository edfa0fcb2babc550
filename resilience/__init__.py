"""Breaker, lease, claims and throttle: one Lua operation a file, decided on the Redis server."""
