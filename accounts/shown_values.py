"""Forms that several people have open at once: each writes what they changed, and nobody undoes another's change unknowingly."""

from datetime import date
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.formats import format_day


class ShownValuesMixin(forms.BaseForm):
    """Carries the values that the form showed. What was left as it was shown counts as unchanged, whatever it became meanwhile.

    Call ``carry_shown_values`` when all fields are there and the row that is changed is the form's initial.
    """

    def carry_shown_values(self) -> None:
        """Render what is shown into hidden inputs; a client that sends none back is compared with the row as it is now."""
        for name, field in self.fields.items():
            field.show_hidden_initial = not self.is_bound or self.add_initial_prefix(name) in self.data

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # not in the stubs
        for name in self.changed_data:
            if name in self.cleaned_data and self.fields[name].show_hidden_initial:
                self._refuse_if_changed_meanwhile(name)

    def _refuse_if_changed_meanwhile(self, name: str) -> None:
        bound = self[name]
        field, place, now_is = bound.field, bound.html_initial_name, bound.field.prepare_value(bound.initial)
        if not _differ(field, self.data[place], now_is) or not field.has_changed(bound.initial, bound.data):
            return
        # Who saves again has read what is there now.
        data = cast("QueryDict", self.data).copy()
        data[place] = "" if now_is is None else now_is
        self.data = data
        told = {"value": _in_words(field, now_is)}
        self.add_error(name, _("Somebody changed this to “%(value)s” meanwhile. Save again to replace it with yours.") % told)


def _differ(field: forms.Field, shown: Any, now_is: Any) -> bool:
    try:
        return bool(field.has_changed(field.to_python(shown), now_is))
    except ValidationError:  # what was shown cannot be chosen any more
        return True


def _in_words(field: forms.Field, value: Any) -> str:
    try:
        value = field.to_python(value)
    except ValidationError:
        return str(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, date):
        return format_day(value)
    choices = {} if isinstance(field, forms.ModelChoiceField) else dict(getattr(field, "choices", ()))
    return str(choices.get(value, "" if value is None else value))
