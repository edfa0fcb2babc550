"""Chaos experiments: a recorded season with injected faults, in which every mail is verified."""
