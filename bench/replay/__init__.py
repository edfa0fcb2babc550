"""A recorded season, played through the running system: whether each mail is sent, and at what cost."""
