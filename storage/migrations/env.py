"""Run by Alembic for each command: migrates over the connection that `storage.database` hands in."""

from alembic import context

from storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=False)
context.run_migrations()
