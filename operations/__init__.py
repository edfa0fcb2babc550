"""Operator actions and views, shared by the console, the command line and the API."""
