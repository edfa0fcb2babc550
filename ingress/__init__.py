"""HTTP: one module per surface. It reads, writes watches and publishes; it never does the work itself."""
