"""Tables, repositories and migrations for durable state, in SQLite or PostgreSQL.

Frequent statements are built once, at the top of their module: building one takes longer than SQLite takes to
run most of them. A statement without values writes the columns of the parameters it is executed with.
"""
