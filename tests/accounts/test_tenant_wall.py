import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.tenancy import TenantScopeError, tenant
from crm.models import Customer, Event
from tests.conftest import Cast
from tests.factories import CustomerFactory


def test_outside_every_scope_there_are_no_rows(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create()
    assert Customer.objects.count() == 0


def test_another_organization_sees_nothing_and_changes_nothing(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create(first_name="Dana")
    with tenant(cast.rival.pk):
        assert not Customer.objects.filter(pk=customer.pk).exists()
        assert Customer.objects.filter(pk=customer.pk).update(first_name="Stolen") == 0
    with tenant(cast.saffron.pk):
        assert Customer.objects.get(pk=customer.pk).first_name == "Dana"


def test_a_row_of_one_organization_cannot_be_written_inside_another(cast: Cast) -> None:
    with tenant(cast.rival.pk), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        Customer.objects.create(organization=cast.saffron, first_name="Planted")


def test_a_reference_cannot_point_into_another_organization(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create()
    with tenant(cast.rival.pk), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        with pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
            cursor.execute(
                "insert into crm_visit (organization_id, customer_id, service, state, starts_at, amount_minor, note, created_at)"
                " values (%s, %s, '', 'booked', now(), 0, '', now())",
                [cast.rival.pk, customer.pk],
            )


def test_scopes_of_two_organizations_do_not_nest(cast: Cast) -> None:
    with tenant(cast.saffron.pk), pytest.raises(TenantScopeError), tenant(cast.rival.pk):
        pass


def test_the_event_log_refuses_changes(in_saffron: Cast) -> None:
    from django.utils import timezone

    from crm.events import NewEvent, record_event

    event = record_event(NewEvent("customer.created", timezone.now()))
    assert event is not None
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind="forged")
    assert Event.objects.get(pk=event.pk).kind == "customer.created"
