"""One worker process with 100 checks in flight: its throughput and the cost of a check."""
