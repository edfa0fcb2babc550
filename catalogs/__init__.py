"""One module a catalog contract: its client and its parser."""
