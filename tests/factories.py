"""Rows for tests, made inside the current tenant scope."""

from typing import Any

import factory
from factory.django import DjangoModelFactory

from crm.models import Customer, CustomerFacts
from crm.normalisation.names import search_key


class CustomerFactory(DjangoModelFactory[Customer]):
    """A customer with their facts; ``facts__spent_minor=…`` sets facts."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True

    first_name = factory.Sequence(lambda n: f"Shopper{n}")
    last_name = "Example"
    email = factory.Sequence(lambda n: f"shopper{n}@example.test")
    search_key = factory.LazyAttribute(lambda customer: search_key(customer.first_name, customer.last_name))

    @factory.post_generation
    def facts(self: Any, create: bool, extracted: Any, **values: Any) -> None:
        CustomerFacts.objects.create(customer=self, **values)
