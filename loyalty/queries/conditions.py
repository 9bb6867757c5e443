"""Which rule trees of terms hold for which customers."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from crm.models import Customer
from loyalty.queries.programs import Version
from segmentation.compiler import Compiler
from segmentation.queries import read_rules
from segmentation.rules import RulesError
from segmentation.words import Words


class Conditions:
    """Asks about a set of customers, a query for each tree when it is first needed."""

    def __init__(self, customer_ids: Collection[int], now: datetime) -> None:
        self._customer_ids, self._now = customer_ids, now
        self._words = Words()
        self._found: dict[tuple[int, str], frozenset[int]] = {}

    def holding(self, version: Version, customer_id: int) -> frozenset[str]:
        """Names of the version's rules and multipliers whose trees hold: ``earn.<key>`` and ``multipliers.<key>``."""
        return frozenset(name for name, tree in _trees(version) if customer_id in self._customers(version.id, name, tree))

    def _customers(self, version_id: int, name: str, tree: Any) -> frozenset[int]:
        if (version_id, name) not in self._found:
            self._found[version_id, name] = self._ask(tree)
        return self._found[version_id, name]

    def _ask(self, tree: Any) -> frozenset[int]:
        try:
            compiler = Compiler(self._words, self._now, for_one=len(self._customer_ids) == 1)
            condition = compiler.condition(read_rules(tree, words=self._words, is_stored=True))
        except RulesError:  # made for a field or a segment that is gone: it holds for nobody
            return frozenset()
        return frozenset(Customer.objects.order_by().filter(condition, pk__in=self._customer_ids).values_list("pk", flat=True))


def _trees(version: Version) -> Iterator[tuple[str, Any]]:
    yield from ((f"earn.{rule.key}", rule.rules) for rule in version.terms.earn if rule.rules is not None)
    yield from ((f"multipliers.{one.key}", one.rules) for one in version.terms.multipliers if one.rules is not None)
