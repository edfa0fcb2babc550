"""Domain types and rules: sections, observations, events, watches, alerts. Pure; standard library only."""
