"""From a rule tree to one SQL query over customers."""

from segmentation.compiler.tree import Compiler, SegmentsTooDeep, compile_rules

__all__ = ["Compiler", "SegmentsTooDeep", "compile_rules"]
