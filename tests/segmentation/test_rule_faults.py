"""Every fault in rules is told with the path to its node; nothing else is read into them."""

from typing import Any

import pytest

from accounts.models import Organization
from segmentation.models import Segment
from segmentation.queries import read_rules, segment_customers
from segmentation.rules import RulesError
from segmentation.rules.parsing import MAX_DEPTH, MAX_NODES
from tests.conftest import Cast
from tests.segmentation.worlds import NOW, declare_attributes

SPENT = {"field": "spent", "op": "at_least", "value": 100}


def nested(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = SPENT
    for _level in range(levels):
        rule = {"all": [rule]}
    return rule


def field(key: Any, op: Any, *value: Any) -> dict[str, Any]:
    return {"all": [{"field": key, "op": op, **({"value": value[0]} if value else {})}]}


def event(**parts: Any) -> dict[str, Any]:
    return {"all": [{"event": "purchase.completed", **parts}]}


FAULTS: list[tuple[Any, list[str]]] = [
    (None, ["rules: Give an object: a group or a condition."]),
    ([], ["rules: Give an object: a group or a condition."]),
    ({}, ["rules: Give exactly one of: all, any, none, field, event, segment."]),
    (SPENT, ["rules: The rules have to begin with a group: all, any or none."]),
    ({"all": []}, ["all: Give a list with at least one condition."]),
    ({"all": "x"}, ["all: Give a list with at least one condition."]),
    ({"all": [SPENT], "any": [SPENT]}, ["rules: Give exactly one of: all, any, none, field, event, segment."]),
    ({"all": [SPENT], "name": 1}, ["name: This is not known here."]),
    ({"all": [7]}, ["all[0]: Give an object: a group or a condition."]),
    (field("height", "is", 1), ["all[0].field: There is no field “height”."]),
    (field(["spent"], "is", 1), ["all[0].field: There is no field “['spent']”."]),
    (field("attribute.shoe", "is", "x"), ["all[0].field: There is no field “attribute.shoe”."]),
    (field("consent.email", "is", "granted"), [
        "all[0].field: Consent does not choose customers: it is checked for each person at the moment of sending, and shown beside the customers here."]),
    (field("spent", "is", 1), [
        "all[0].op: “is” cannot be used here; use one of: equals, not_equals, at_least, at_most, more_than, less_than, between."]),
    ({"all": [{"field": "tags"}]}, ["all[0].op: “None” cannot be used here; use one of: has_any, has_all, has_none, known, unknown."]),
    (field("spent", ["at_least"], 1), [
        "all[0].op: “['at_least']” cannot be used here; use one of: equals, not_equals, at_least, at_most, more_than, less_than, between."]),
    (field("spent", "at_least"), ["all[0].value: Give a value to compare with."]),
    (field("spent", "at_least", "100"), ["all[0].value: Give a whole number."]),
    (field("spent", "at_least", True), ["all[0].value: Give a whole number."]),
    (field("spent", "at_least", 1.5), ["all[0].value: Give a whole number."]),
    (field("spent", "at_least", 10**16), ["all[0].value: The number is too large."]),
    (field("last_visit_at", "on", "9999-12-31"), ["all[0].value: Give a day of the years 1800 to 2200."]),
    (field("last_visit_at", "between", ["0001-01-01", "2026-01-01"]), ["all[0].value[0]: Give a day of the years 1800 to 2200."]),
    (event(when={"to": "9999-12-31"}), ["all[0].when.to: Give a day of the years 1800 to 2200."]),
    (field("visit_count", "at_least", "3"), ["all[0].value: Give a number."]),
    (field("visit_count", "at_least", float("nan")), ["all[0].value: The number is too large."]),
    (field("visit_count", "at_least", float("inf")), ["all[0].value: The number is too large."]),
    (field("visit_count", "at_least", 10**4000), ["all[0].value: The number is too large."]),
    (field("visit_count", "between", [3]), ["all[0].value: Give a list of two values: from and to."]),
    (field("visit_count", "between", [3, 1]), ["all[0].value: The first value is greater than the second."]),
    (field("visit_count", "between", [1, None]), ["all[0].value[1]: Give a number."]),
    (field("city", "is", 5), ["all[0].value: Give a text."]),
    (field("city", "is", "  "), ["all[0].value: Give a text of 1 to 200 characters."]),
    (field("city", "is", "x" * 201), ["all[0].value: Give a text of 1 to 200 characters."]),
    (field("\ud800", "is", 1), ["all[0].field: There is no field “?”."]),
    (event(where=[{"property": "x", "op": "is", "value": "\ud800"}]), ["all[0].where[0].value: The text contains a character that cannot be kept."]),
    (field("city", "any_of", "Paris"), ["all[0].value: Give a list with at least one value."]),
    (field("city", "any_of", []), ["all[0].value: Give a list with at least one value."]),
    (field("city", "any_of", ["Paris", 5]), ["all[0].value[1]: Give a text."]),
    (field("city", "any_of", ["x"] * 501), ["all[0].value: Give at most 500 values."]),
    (field("city", "known", 1), ["all[0].value: This comparison takes no value."]),
    (field("gender", "is", "robot"), ["all[0].value: “robot” is not one of: female, male, other."]),
    (field("gender", "any_of", ["male", 1]), ["all[0].value[1]: Give a text."]),
    (field("attribute.color", "is", "green"), ["all[0].value: “green” is not one of: blue, red."]),
    (field("attribute.member", "is", "yes"), ["all[0].value: Give true or false."]),
    (field("preferred_location", "any_of", [-1]), ["all[0].value[0]: There is no choice with the number -1."]),
    (field("preferred_location", "any_of", ["1"]), ["all[0].value[0]: Give a whole number."]),
    (field("last_visit_at", "before", "01/02/2026"), ['all[0].value: Give a day such as "2026-01-31" or {"ago": {"days": 30}}.']),
    (field("last_visit_at", "before", "2026-02-30"), ['all[0].value: Give a day such as "2026-01-31" or {"ago": {"days": 30}}.']),
    (field("last_visit_at", "before", {"ago": {"hours": 2}}), [
        'all[0].value.ago: Give a duration such as {"days": 30}; units: days, weeks, months, years.']),
    (field("last_visit_at", "in_last", 30), ['all[0].value: Give a duration such as {"days": 30}; units: hours, days, weeks, months, years.']),
    (field("last_visit_at", "in_last", {"days": 0}), ["all[0].value.days: Give a number from 1 to 36525."]),
    (field("last_visit_at", "in_last", {"days": 10**9}), ["all[0].value.days: Give a number from 1 to 36525."]),
    (field("last_visit_at", "in_last", {"days": "30"}), ["all[0].value.days: Give a whole number."]),
    (field("birthday", "anniversary_in_next", {"days": 400}), ["all[0].value: Give at most 366 days."]),
    (field("last_visit_at", "between", ["2026-02-01", "2026-01-01"]), ["all[0].value: The first value is greater than the second."]),
    (field("last_visit_at", "known") | {"x": 1}, ["x: This is not known here."]),
    ({"all": [{"event": ""}]}, ["all[0].event: Give the kind of an event, such as “visit.completed”."]),
    ({"all": [{"event": 5}]}, ["all[0].event: Give the kind of an event, such as “visit.completed”."]),
    (event(count=3), ['all[0].count: Give a count such as {"op": "at_least", "value": 3}.']),
    (event(count={"op": "most", "value": 3}), ["all[0].count.op: “most” cannot be used here; use one of: at_least, at_most, exactly."]),
    (event(count={"op": "at_least", "value": 0}), ["all[0].count.value: Give a number from 1 to 1000000."]),
    (event(count={"op": "exactly", "value": -1}), ["all[0].count.value: Give a number from 0 to 1000000."]),
    (event(count={"op": "exactly"}), ["all[0].count.value: Give a whole number."]),
    (event(when={}), ['all[0].when: Give {"last": {"days": 90}}, or "from" and "to" with days.']),
    (event(when={"last": {"days": 3}, "from": "2026-01-01"}), ['all[0].when: Give {"last": {"days": 90}}, or "from" and "to" with days.']),
    (event(when={"last": {"decades": 1}}), ['all[0].when.last: Give a duration such as {"days": 30}; units: hours, days, weeks, months, years.']),
    (event(when={"from": "2026-02-01", "to": "2026-01-01"}), ["all[0].when: The first value is greater than the second."]),
    (event(where=[]), ["all[0].where: Give a list of 1 to 10 conditions on properties."]),
    (event(where=[{"property": "x", "op": "is"}]), ["all[0].where[0].value: Give a value to compare with."]),
    (event(where=[{"property": "", "op": "is", "value": 1}]), ["all[0].where[0].property: Give the name of a property."]),
    (event(where=[{"property": "total_minor", "op": "at_least", "value": "5"}]), ["all[0].where[0].value: Give a number."]),
    (event(where=[{"property": "total_minor", "op": "contains", "value": "5"}]), [
        "all[0].where[0].op: “contains” cannot be used here; use one of: is, is_not, any_of, none_of, at_least, at_most, more_than, less_than,"
        " known, unknown."]),
    (event(since=1), ["all[0].since: This is not known here."]),
    ({"all": [{"segment": "5"}]}, ["all[0].segment: Give the number of a segment."]),
    ({"all": [{"segment": True}]}, ["all[0].segment: Give the number of a segment."]),
    ({"all": [{"segment": 987654321}]}, ["all[0].segment: There is no segment with the number 987654321."]),
    ({"all": [SPENT, {"any": [SPENT, {"field": "nope", "op": "is"}]}, {"none": [{"field": "city", "op": "is", "value": 1}]}]},
     ["all[1].any[1].field: There is no field “nope”.", "all[2].none[0].value: Give a text."]),
    (nested(MAX_DEPTH), [".".join(["all[0]"] * MAX_DEPTH) + f": Groups are nested more than {MAX_DEPTH} deep."]),
    (nested(300), [".".join(["all[0]"] * MAX_DEPTH) + f": Groups are nested more than {MAX_DEPTH} deep."]),
    ({"all": [SPENT] * MAX_NODES}, [f"all[{MAX_NODES - 1}]: There are more than {MAX_NODES} conditions and groups."]),
]  # fmt: skip


def test_each_fault_is_told_with_the_path_to_its_node(in_saffron: Cast) -> None:
    declare_attributes()
    for rules, told in FAULTS:
        with pytest.raises(RulesError) as caught:
            read_rules(rules)
        assert [str(problem) for problem in caught.value.problems] == told


def test_rules_cannot_refer_back_to_their_own_segment(in_saffron: Cast) -> None:
    first = Segment.objects.create(name="First", rules={"all": [SPENT]})
    second = Segment.objects.create(name="Second", rules={"all": [{"segment": first.pk}]})
    circle = {"all": [SPENT, {"none": [{"segment": second.pk}]}]}
    with pytest.raises(RulesError) as caught:
        read_rules(circle, editing=first)
    assert [str(problem) for problem in caught.value.problems] == [f"all[1].none[0].segment: Segment {second.pk} refers back to this one."]
    assert read_rules(circle)


def test_segments_refer_to_segments_through_a_few_steps_only(in_saffron: Cast) -> None:
    chain = [Segment.objects.create(name="0", rules={"all": [SPENT]})]
    for step in range(1, 6):
        chain.append(Segment.objects.create(name=str(step), rules={"all": [{"segment": chain[-1].pk}]}))
    longest = Segment.objects.create(name="Longest", rules={"all": [{"segment": chain[4].pk}]})
    assert read_rules(longest.rules)
    assert segment_customers(longest, now=NOW).count() == 0
    with pytest.raises(RulesError) as caught:
        read_rules({"all": [{"segment": chain[5].pk}]})
    assert [problem.code for problem in caught.value.problems] == ["segment_too_deep"]


def test_a_circle_closed_by_two_at_once_is_told_rather_than_followed(in_saffron: Cast) -> None:
    first, second = Segment.objects.create(name="First"), Segment.objects.create(name="Second")
    Segment.objects.filter(pk=first.pk).update(rules={"all": [{"segment": second.pk}]})
    Segment.objects.filter(pk=second.pk).update(rules={"all": [{"segment": first.pk}]})
    first.refresh_from_db()
    with pytest.raises(RulesError) as caught:
        segment_customers(first, now=NOW)
    assert [problem.code for problem in caught.value.problems] == ["segment_circular"]


def test_another_organizations_segment_does_not_exist_here(cast: Cast) -> None:
    from accounts.tenancy import tenant

    with tenant(cast.saffron.pk):
        segment = Segment.objects.create(name="Ours", rules={"all": [SPENT]})
    with tenant(cast.rival.pk), pytest.raises(RulesError) as caught:
        read_rules({"all": [{"segment": segment.pk}]})
    assert [problem.code for problem in caught.value.problems] == ["segment_unknown"]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tehran"])
@pytest.mark.parametrize(
    "rules",
    [
        field("last_visit_at", "on", "9999-12-31"),
        field("last_visit_at", "between", ["0001-01-01", "9999-12-31"]),
        event(when={"from": "0001-01-01", "to": "9999-12-31"}),
    ],
)
def test_days_at_the_ends_of_the_calendar_that_were_stored_are_still_asked_about(in_saffron: Cast, zone: str, rules: Any) -> None:
    Organization.objects.filter(pk=in_saffron.saffron.pk).update(time_zone=zone)
    segment = Segment.objects.create(name="Far off", rules=rules)
    assert segment_customers(segment, now=NOW).count() == 0
