"""Durable workflows: multi-step jobs that DBOS executes in the role `rollcall jobs`."""
