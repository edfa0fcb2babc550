"""Public pages, without sign-in."""
