"""The proof of the compiler: its SQL chooses exactly those customers for whom the rule holds in plain Python."""

from zoneinfo import ZoneInfo

from django.db import transaction
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from segmentation.models import Segment, SegmentKind
from segmentation.queries import rules_customers, segment_customers
from tests.conftest import Cast
from tests.segmentation.evaluator import World
from tests.segmentation.worlds import NOW, declare_attributes, enlist, locations, people, rules, settle

EXAMPLES = 25


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_compiled_rules_choose_exactly_whom_they_describe(in_saffron: Cast, data: st.DataObject) -> None:
    with transaction.atomic():
        declare_attributes()
        places = locations()
        persons = data.draw(st.lists(people(places), min_size=1, max_size=6))
        keys = settle(persons)
        fixed = Segment.objects.create(name="Fixed", kind=SegmentKind.STATIC)
        members = data.draw(st.sets(st.sampled_from(keys)))
        enlist(fixed, sorted(members))
        for key, person in zip(keys, persons, strict=True):
            person.lists = {fixed.pk} if key in members else set()
        inner = data.draw(rules(places, [fixed.pk]))
        dynamic = Segment.objects.create(name="Dynamic", rules=inner)
        world = World(NOW, ZoneInfo("America/New_York"), {fixed.pk: None, dynamic.pk: inner})
        for rule in data.draw(st.lists(rules(places, [fixed.pk, dynamic.pk]), min_size=4, max_size=8)):
            note(f"rule: {rule}")
            expected = {key for key, person in zip(keys, persons, strict=True) if world.holds(rule, person)}
            assert set(rules_customers(rule, now=NOW).values_list("pk", flat=True)) == expected
        expected = {key for key, person in zip(keys, persons, strict=True) if world.holds(inner, person)}
        assert set(segment_customers(dynamic, now=NOW).values_list("pk", flat=True)) == expected
        assert set(segment_customers(fixed, now=NOW).values_list("pk", flat=True)) == members
        transaction.set_rollback(True)
