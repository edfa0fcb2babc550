"""HTTP: the API, the console and public pages. Handlers read, write watches and publish."""
