"""The rule builder: rules as a form that needs no JSON, drawn and read by the server.

What is typed stays in the rules as typed until it can be read, so a half-finished condition is never lost: the rules
are then faulty, and say where.
"""

from segmentation.builder.controls import Builder, build
from segmentation.builder.editing import edited
from segmentation.builder.reading import read_form

__all__ = ["Builder", "build", "edited", "read_form"]
