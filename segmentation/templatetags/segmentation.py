"""Filters of the builder's templates."""

from django import template

from segmentation.builder.inputs import input_id as _input_id

register = template.Library()


@register.filter
def input_id(name: str) -> str:
    """The id of the input with this name."""
    return _input_id(name)


@register.filter
def at_most(number: int, most: int) -> int:
    """The smaller of two numbers."""
    return min(number, most)
