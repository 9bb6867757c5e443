from typing import Any

import pytest
from django.utils import translation

from segmentation.models import Segment
from segmentation.queries import read_rules
from segmentation.sentences import Narrator
from segmentation.words import Words
from tests.conftest import Cast
from tests.segmentation.worlds import declare_attributes


def field(key: str, op: str, *value: Any) -> dict[str, Any]:
    return {"field": key, "op": op, **({"value": value[0]} if value else {})}


SENTENCES: list[tuple[dict[str, Any], str]] = [
    ({"all": [field("spent", "at_least", 50_000), {"none": [{"event": "purchase.completed", "when": {"last": {"days": 30}}}]}]},
     "Spent at least $500.00 and no purchase in the last 30 days"),
    ({"any": [field("visit_count", "between", [1, 3]), field("city", "any_of", ["Paris", "Oslo"])]}, "Visits from 1 to 3 or city is Paris or Oslo"),
    ({"all": [{"event": "visit.completed", "count": {"op": "at_least", "value": 3}, "when": {"last": {"months": 2}}}]},
     "At least 3 visits in the last 2 months"),
    ({"all": [{"event": "visit.no_show", "count": {"op": "exactly", "value": 1}, "when": {"from": "2026-01-01", "to": "2026-03-31"}}]},
     "Exactly 1 no-show from Jan 1, 2026 to Mar 31, 2026"),
    ({"all": [{"event": "purchase.completed", "where": [{"property": "categories", "op": "is", "value": "Hair"},
                                                        {"property": "total_minor", "op": "at_least", "value": 1000}]}]},
     "At least 1 purchase with category Hair and amount at least $10.00"),
    ({"all": [{"event": "quiz.finished", "count": {"op": "at_most", "value": 2}, "when": {"from": {"ago": {"weeks": 1}}}}]},
     "At most 2 “quiz.finished” since 1 week ago"),
    ({"none": [field("gender", "is", "male"), {"all": [field("tags", "has_any", ["vip"]), field("birthday", "unknown")]}]},
     "Not (gender is Male) and not (tags include vip and birthday is not known)"),
    ({"all": [field("attribute.member", "is", True), {"any": [field("last_visit_at", "not_in_last", {"days": 1}),
                                                            field("created_at", "before", {"ago": {"days": 0}})]}]},
     "Member is yes and (last visit not in the last 1 day or customer since before today)"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "sentence"), SENTENCES)
def test_rules_are_read_back_as_a_sentence(in_saffron: Cast, rules: dict[str, Any], sentence: str) -> None:
    declare_attributes()
    assert Narrator(Words()).sentence(read_rules(rules)) == sentence


def test_a_segment_and_a_location_are_called_by_their_names(in_saffron: Cast) -> None:
    vip = Segment.objects.create(name="VIP", rules={"all": [field("spent", "at_least", 1)]})
    rules = {"all": [{"segment": vip.pk}, {"none": [{"segment": vip.pk}]}, field("preferred_location", "any_of", [in_saffron.uptown.pk])]}
    words = Words()
    with translation.override("en"):
        told = Narrator(words).sentence(read_rules(rules, words=words))
    assert told == "In segment “VIP” and not in segment “VIP” and preferred location is Uptown"
