"""Durable jobs of several steps, run by DBOS in the role `rollcall jobs`."""
