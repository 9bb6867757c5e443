"""Django's PostgreSQL backend, whose schema editor builds the tenant wall into every table it creates."""

from django.db.backends.postgresql import base

from accounts.postgresql.schema import TenantSchemaEditor


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = TenantSchemaEditor
