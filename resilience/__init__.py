"""Circuit breaker, leases, claims and rate limits. Each Lua script is one atomic operation in Redis."""
