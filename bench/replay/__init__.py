"""A recorded season, replayed through the running system: whether each mail is sent, and at what cost."""
