"""What a migration does to rows, it does in every organization, through its own connection."""

from typing import Any

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.db import connections, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from accounts.models import Location, Organization
from accounts.postgresql.each_organization import each_organization
from accounts.tenancy import tenant
from tests.conftest import Cast


def _locations(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> Any:
    return apps.get_model("accounts", "Location").objects.using(schema_editor.connection.alias)


def _fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _locations(apps, schema_editor).filter(slug="downtown").update(address="1 Main St")


@pytest.mark.parametrize("atomic", [True, False])
def test_a_migration_changes_the_rows_of_each_organization(committed_cast: Cast, atomic: bool) -> None:
    cast = committed_cast
    with tenant(cast.rival.pk):
        Location.objects.create(name="Rival's", slug="downtown")
        Organization.objects.update(is_active=False)
    operation = migrations.RunPython(each_organization(_fill), migrations.RunPython.noop)
    state = ProjectState.from_apps(apps)
    with connections["owner"].schema_editor(atomic=atomic) as editor:
        operation.database_forwards("accounts", editor, state, state)
        assert not _locations(state.apps, editor).exists()
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            assert list(Location.objects.exclude(address="").values_list("slug", "address")) == [("downtown", "1 Main St")]
