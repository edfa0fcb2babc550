"""Public pages: unsubscribe, runbook, API documentation."""
