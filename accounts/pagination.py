"""Pages of lists that may have a million rows: counting stops where nobody would page to."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

PAGE_SIZE = 25
COUNTED_AT_MOST = 10_000


class BoundedPaginator(Paginator[Any]):
    """Counts up to ``COUNTED_AT_MOST`` rows; ``is_bounded`` says that there are more."""

    template_name = "shell/admin_pagination.html"  # read by Unfold's lists

    @cached_property
    def count(self) -> int:
        return min(self._seen, COUNTED_AT_MOST)

    @property
    def is_bounded(self) -> bool:
        return self._seen > COUNTED_AT_MOST

    @cached_property
    def _seen(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: COUNTED_AT_MOST + 1].count()
        return len(rows)
