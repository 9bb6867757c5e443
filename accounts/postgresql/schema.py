"""A schema editor that cannot create a tenant table without its wall.

A model with an ``organization`` foreign key is a tenant model. Its table gets forced row-level security, the
primary key ``(organization_id, id)`` and, because foreign keys do not see row-level security, composite references
``(organization_id, x_id)`` to other tenant tables. All of it shows in ``manage.py sqlmigrate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.ddl_references import Statement
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

from accounts.postgresql.wall import grant, wall


def is_tenant(model: type[models.Model]) -> bool:
    """Whether rows of the model belong to one organization."""
    return any(field.name == "organization" for field in model._meta.local_fields)


class TenantSchemaEditor(DatabaseSchemaEditor):
    sql_create_composite_fk = (
        "ALTER TABLE %(table)s ADD CONSTRAINT %(name)s FOREIGN KEY (organization_id, %(column)s)"
        " REFERENCES %(to_table)s (organization_id, %(to_column)s)%(deferrable)s"
    )
    # Django adds the foreign key of a new column inside ADD COLUMN, where a composite one cannot stand.
    sql_create_column_inline_fk = ""

    def create_model(self, model: type[models.Model]) -> None:
        super().create_model(model)
        table = self.quote_name(model._meta.db_table)
        if is_tenant(model):
            key = self.quote_name(str(model._meta.pk.column))
            self.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (organization_id, {key})")
            for statement in wall(table):
                self.execute(statement)
        self.execute(grant(table, settings.APPLICATION_ROLE))

    def _iter_column_sql(self, column_db_type: str, params: list[Any], model: type[models.Model], *args: Any) -> Iterator[str]:
        parts: Iterator[str] = super()._iter_column_sql(column_db_type, params, model, *args)  # type: ignore[misc]  # not in the stubs
        for part in parts:
            if part == "PRIMARY KEY" and is_tenant(model):
                continue
            yield part

    def _create_fk_sql(self, model: type[models.Model], field: models.ForeignKey[Any, Any], suffix: str) -> Statement:
        statement: Statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]  # not in the stubs
        if field.name == "organization" or not (is_tenant(model) and is_tenant(field.remote_field.model)):
            return statement
        return Statement(self.sql_create_composite_fk, **statement.parts)

    def _constraint_names(self, model: type[models.Model], column_names: list[str] | None = None, **kinds: Any) -> list[str]:
        """Names of constraints; a reference is looked for over its own column and, between tenant tables, over both."""
        find = super()._constraint_names  # type: ignore[misc]  # not in the stubs
        names: list[str] = find(model, column_names, **kinds)
        if kinds.get("foreign_key") and column_names and is_tenant(model):
            names += find(model, ["organization_id", *column_names], **kinds)
        return names
