"""From a rule tree to one SQL query over customers."""

from segmentation.compiler.tree import Compiler, SegmentDepthError, compile_rules

__all__ = ["Compiler", "SegmentDepthError", "compile_rules"]
