"""The periodic sweeps go on where one organization fails."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Organization
from accounts.tenancy import tenant
from loyalty import tasks
from loyalty.actions.members import enrol_member
from loyalty.models import Entry
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.program_stage import open_program


def test_birthdays_are_awarded_where_another_organization_fails(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    now = timezone.now()
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            program = open_program(earn=[{"key": "birthday", "on": "birthday", "points": 30}])
            born = CustomerFactory.create(birthday=now.date().replace(year=1988))
            enrol_member(program=program, customer=born, now=now - timedelta(days=30), actor=SYSTEM)
    with tenant(cast.saffron.pk):
        Organization.objects.update(time_zone="Mars/Base")
    tasks.award_birthdays()
    with tenant(cast.saffron.pk):
        assert not Entry.objects.exists()
    with tenant(cast.rival.pk):
        assert list(Entry.objects.values_list("amount", flat=True)) == [30]
    assert f"organization {cast.saffron.pk} waits for the next round" in caplog.text
