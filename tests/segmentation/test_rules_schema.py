"""The published schema accepts what the parser accepts, and refuses what it can see is wrong."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with drf-spectacular, untyped
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.queries import read_rules
from segmentation.schema import rules_schema
from segmentation.words import Words
from tests.conftest import Cast
from tests.segmentation.test_rule_faults import FAULTS
from tests.segmentation.worlds import declare_attributes, locations, rules

# What only the organization's data, or comparing two values, can tell.
BEYOND_A_SCHEMA = ("too_many_nodes", "too_deep", "reversed", "segment_unknown", "text_control", "unknown_choice", "not_day", "out_of_range")


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rules_that_are_read_satisfy_the_schema(in_saffron: Cast, data: st.DataObject) -> None:
    if not Words().field("attribute.color"):
        declare_attributes()
    validator = jsonschema.Draft202012Validator(rules_schema(Words()))
    rule = data.draw(rules(locations(), []))
    read_rules(rule)
    assert validator.is_valid(rule), rule


def test_faults_that_can_be_seen_without_the_data_are_refused_by_the_schema(in_saffron: Cast) -> None:
    from segmentation.rules import RulesError

    declare_attributes()
    validator = jsonschema.Draft202012Validator(rules_schema(Words()))
    for wrong, _told in FAULTS:
        with pytest.raises(RulesError) as caught:
            read_rules(wrong)
        problems = caught.value.problems
        declared_elsewhere = any(".where[" in problem.path for problem in problems)  # properties belong to their event
        if not declared_elsewhere and not {problem.code for problem in problems} & set(BEYOND_A_SCHEMA) and not unjson(wrong):
            assert not validator.is_valid(wrong), wrong


def unjson(value: Any) -> bool:
    """Whether a value holds what JSON cannot: not a number, infinity, half a letter, or spaces that are trimmed."""
    text = repr(value)
    return any(mark in text for mark in ("nan", "inf", "\\ud800", "'  '"))


def test_the_schema_is_a_schema_and_needs_no_organization(db: None) -> None:
    schema = rules_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "attribute" not in str(schema)
