"""From a rule tree to one SQL query over customers."""

from segmentation.compiler.tree import Compiler, compile_rules

__all__ = ["Compiler", "compile_rules"]
