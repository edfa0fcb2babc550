"""Tables, repositories and migrations: what must survive, in SQLite or PostgreSQL."""
