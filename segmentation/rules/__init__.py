"""The rules of segments: a tree of conditions, read from JSON. Pure: no Django, no clock, no I/O."""

from segmentation.rules.moments import Clock
from segmentation.rules.parsing import parse_rules
from segmentation.rules.problems import Problem, RulesError
from segmentation.rules.tree import EventCondition, FieldCondition, Group, Mode, Node, SegmentCondition, conditions, referenced_segments
from segmentation.rules.vocabulary import EventWord, FieldWord, Vocabulary

__all__ = [
    "Clock",
    "EventCondition",
    "EventWord",
    "FieldCondition",
    "FieldWord",
    "Group",
    "Mode",
    "Node",
    "Problem",
    "RulesError",
    "SegmentCondition",
    "Vocabulary",
    "conditions",
    "parse_rules",
    "referenced_segments",
]
