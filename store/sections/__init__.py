"""Sections: states, observations, history and search."""
