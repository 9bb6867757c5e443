"""Django's PostgreSQL backend, whose schema editor builds the tenant wall into every table it creates."""

from django.db.backends.postgresql import base, features

from accounts.postgresql.schema import TenantSchemaEditor


class DatabaseFeatures(features.DatabaseFeatures):
    # The id alone is no key of a tenant table, so PostgreSQL wants every selected column in GROUP BY.
    allows_group_by_selected_pks = False


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
    SchemaEditorClass = TenantSchemaEditor
