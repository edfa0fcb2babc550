"""When things happen: it only publishes."""
