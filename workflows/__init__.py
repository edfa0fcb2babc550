"""Durable workflows: jobs of several steps, carried out by DBOS in the role `rollcall jobs`."""
