"""Data migrations: the wall is shut against the schema's owner too, so they work in one organization after the other."""

from collections.abc import Callable
from functools import wraps

from django.apps.registry import Apps
from django.db import transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts.postgresql.wall import ORGANIZATION_SETTING

Work = Callable[[Apps, BaseDatabaseSchemaEditor], None]


def each_organization(work: Work) -> Work:
    """Let the function of a ``RunPython`` run once per organization, closed ones too, with its rows in reach.

    They are in reach of the migration's connection alone: ``.using(schema_editor.connection.alias)``. A migration that
    says ``atomic = False`` commits after each organization.
    """

    @wraps(work)
    def in_each(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("select id from accounts_organization order by id")
            ids = [row[0] for row in cursor.fetchall()]
        for organization_id in ids:
            with transaction.atomic(using=schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
                cursor.execute("select set_config(%s, %s, true)", [ORGANIZATION_SETTING, str(organization_id)])
                work(apps, schema_editor)
                cursor.execute("select set_config(%s, '', true)", [ORGANIZATION_SETTING])

    return in_each
