"""Django's PostgreSQL backend, whose schema editor builds the tenant wall into every table it creates."""

from select import POLLIN, poll

from django.db.backends.postgresql import base, features

from accounts.postgresql.schema import TenantSchemaEditor


class DatabaseFeatures(features.DatabaseFeatures):
    # The id alone is no key of a tenant table, so PostgreSQL wants every selected column in GROUP BY.
    allows_group_by_selected_pks = False


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
    SchemaEditorClass = TenantSchemaEditor

    def is_usable(self) -> bool:
        """Whether the server is still at the other end, without asking it before every request.

        A connection at rest has nothing to be read, unless the server has said goodbye or is gone.
        """
        if self.connection is None or self.connection.closed:
            return False
        waiting = poll()
        waiting.register(self.connection.fileno(), POLLIN)
        return not waiting.poll(0)
