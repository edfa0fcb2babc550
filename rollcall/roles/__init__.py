"""The processes that run the roles."""
