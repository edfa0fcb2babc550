"""The work: one file a queue, each actor a function of its services and its message."""
