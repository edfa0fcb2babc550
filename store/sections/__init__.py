"""Sections: states, history, search."""
