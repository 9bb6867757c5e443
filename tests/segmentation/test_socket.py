"""Upper floors offer fields and events; rules, schema, builder and sentences follow by themselves."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from crm.models import Visit
from segmentation import fields
from segmentation.builder import build
from segmentation.fields import EventProperty, SegmentEvent, SegmentField, register_event, register_field
from segmentation.queries import read_rules, rules_customers
from segmentation.rules import RulesError
from segmentation.rules.operators import ValueType
from segmentation.schema import rules_schema
from segmentation.sentences import Narrator
from segmentation.words import Words
from tests.conftest import Cast
from tests.factories import CustomerFactory

ANNOYED = {"all": [{"field": "annoyance", "op": "at_least", "value": 2}]}
BOOKED = {"all": [{"event": "chair.taken", "where": [{"property": "service", "op": "contains", "value": "cut"}]}]}


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known = fields._registry
    monkeypatch.setattr(fields, "_registry", fields.Registry(dict(known.fields), dict(known.events)))
    register_field(SegmentField("annoyance", "annoyance", ValueType.NUMBER, "Mood", lambda clock: F("facts__no_show_count")))
    register_event(
        SegmentEvent(
            "chair.taken", "Chair taken", lambda count: "seat" if count == 1 else "seats",
            (EventProperty("service", "service", ValueType.TEXT),), rows=lambda: Visit.objects.all(), moment="starts_at",
        )
    )  # fmt: skip


def test_a_registered_field_is_asked_read_back_published_and_built(in_saffron: Cast) -> None:
    CustomerFactory.create(facts__no_show_count=1)
    annoyed = CustomerFactory.create(facts__no_show_count=2)
    assert list(rules_customers(ANNOYED, now=timezone.now())) == [annoyed]
    assert Narrator(Words()).sentence(read_rules(ANNOYED)) == "Annoyance at least 2"
    assert '"annoyance"' in str(rules_schema()).replace("'", '"')
    condition = build(ANNOYED, Words()).children[0]
    assert ("Mood", ["field:annoyance"]) in [(label, [option.value for option in options]) for label, options in condition.subjects]


def test_a_registered_event_is_read_from_its_own_rows(in_saffron: Cast) -> None:
    now = timezone.now()
    seated, other = CustomerFactory.create_batch(2)
    Visit.objects.create(customer=seated, service="Haircut", starts_at=now - timedelta(days=1))
    Visit.objects.create(customer=other, service="Shave", starts_at=now - timedelta(days=1))
    assert list(rules_customers(BOOKED, now=now)) == [seated]
    assert Narrator(Words()).sentence(read_rules(BOOKED)) == "At least 1 seat with service containing cut"


def test_an_event_with_rows_of_its_own_has_only_its_declared_properties(in_saffron: Cast) -> None:
    with pytest.raises(RulesError) as caught:
        read_rules({"all": [{"event": "chair.taken", "where": [{"property": "colour", "op": "known"}]}]})
    assert [str(problem) for problem in caught.value.problems] == ["all[0].where[0].property: This event has no property “colour”."]


@pytest.mark.parametrize("key", ["spent", "annoyance", "attribute.x", "consent.email"])
def test_a_key_is_given_once_and_reserved_ones_never(key: str) -> None:
    with pytest.raises(ValueError, match="is taken"):
        register_field(SegmentField(key, "again", ValueType.NUMBER, "Mood", lambda clock: F("id")))


def test_a_kind_of_event_is_registered_once() -> None:
    with pytest.raises(ValueError, match="is taken"):
        register_event(SegmentEvent("visit.completed", "again", str))
