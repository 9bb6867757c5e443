"""Filters of admin lists by a range of moments: typed as the lists show them, on the organization's clock and in the reader's calendar."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.widgets import INPUT_CLASSES

from accounts.fields import MomentField


class MomentRangeFilter(RangeDateTimeFilter):
    """From a moment, to a moment, or both. A bound that cannot be read is told, and limits nothing."""

    template = "unfold/filters/filters_field.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        form = self._form()
        form.is_valid()
        bounds = {"gte": form.cleaned_data.get(f"{self.field_path}_from"), "lte": form.cleaned_data.get(f"{self.field_path}_to")}
        return queryset.filter(**{f"{self.field_path}__{lookup}": moment for lookup, moment in bounds.items() if moment is not None})

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        yield {"form": self._form()}

    def _form(self) -> forms.Form:
        form = forms.Form(self.used_parameters)
        for bound, words in (("from", _("From")), ("to", _("To"))):
            form.fields[f"{self.field_path}_{bound}"] = field = MomentField(label=f"{capfirst(self.title)} · {words}", required=False)
            for widget in field.widget.widgets:
                widget.attrs["class"] = " ".join(INPUT_CLASSES)
        return form
