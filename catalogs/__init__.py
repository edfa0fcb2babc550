"""One client and one parser for each catalog contract."""
