"""One worker process with 100 checks in flight: how near its limit it comes, and what a check costs."""
