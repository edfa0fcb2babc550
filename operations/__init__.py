"""Operator actions and views, shared by the console and the command line."""
