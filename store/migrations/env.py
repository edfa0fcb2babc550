"""Alembic's entry: migrates on the connection and in the transaction that `store.migrate` opened."""

from alembic import context

from store.database import VERSION_TABLE
from store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
