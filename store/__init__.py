"""Tables, repositories and migrations: what must survive, in SQLite or PostgreSQL.

Statements that run often are built once, at the head of their module: SQLite runs most of them in less time
than it takes to build one. Where one says no values, the columns it writes are those it is executed with.
"""
