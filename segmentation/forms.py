"""Forms of segments; the rules have a form of their own (``segmentation.builder``)."""

from typing import Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.formats import format_number
from segmentation.models import Segment

MAX_IDENTIFIERS = 1_000


def _text(name: str, label: Any, *, required: bool = True, help_text: Any = "") -> forms.CharField:
    column = Segment._meta.get_field(name)
    assert isinstance(column, models.CharField)
    return forms.CharField(label=label, max_length=column.max_length, required=required, help_text=help_text)


class SegmentForm(forms.Form):
    """What a segment is called."""

    name = _text("name", _("Name"))
    description = _text("description", _("Description"), required=False, help_text=_("What it is for, for your colleagues."))


class SnapshotForm(forms.Form):
    """What the fixed list is called."""

    name = _text("name", _("Name of the list"))


class MembersForm(forms.Form):
    """Who is put on a fixed list."""

    identifiers = forms.CharField(
        label=_("E-mail addresses, phones or customer numbers"),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        max_length=100_000,
        help_text=_("One per line, or separated by commas."),
    )

    def clean_identifiers(self) -> list[str]:
        """The identifiers, one by one."""
        typed = self.cleaned_data["identifiers"].replace(",", "\n").replace("،", "\n").split("\n")
        found = [text.strip() for text in typed if text.strip()]
        if len(found) > MAX_IDENTIFIERS:
            raise forms.ValidationError(
                _("Give at most %(most)s at once; import more with a file.") % {"most": format_number(MAX_IDENTIFIERS)}
            )
        return found
