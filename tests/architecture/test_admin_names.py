"""Everything that our admin shows has a name in the reader's language."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import flatten, flatten_fieldsets, label_for_field
from django.db import models
from django.utils.translation import override

PERSIAN = re.compile("[\u0600-\u06ff]")
APPS = {"accounts", "campaigns", "crm", "loyalty", "messaging", "segmentation"}


def _ours() -> Iterator[tuple[type[models.Model], Any]]:
    """Models with the admins and inlines that show them."""
    import_module(settings.ROOT_URLCONF)  # the admin's pages are found with the addresses
    for model, shown in admin.site._registry.items():
        if model._meta.app_label in APPS:
            yield model, shown
            yield from ((inline.model, inline(model, admin.site)) for inline in shown.inlines)


def _fields(model: type[models.Model], shown: Any) -> set[str]:
    chosen = flatten_fieldsets(shown.fieldsets) if shown.fieldsets else flatten(shown.fields or ())
    chosen = chosen or [field.name for field in model._meta.concrete_fields if field.editable and not field.primary_key]
    return {name for name in (*chosen, *shown.readonly_fields) if name not in shown.form.declared_fields}


def _names(model: type[models.Model], shown: Any) -> Iterator[tuple[str, object]]:
    """What the lists, filters, forms and read-only pages of an admin are headed with."""
    yield "", model._meta.verbose_name
    yield "s", model._meta.verbose_name_plural
    for name in _fields(model, shown) | set(getattr(shown, "list_display", ())) - {"__str__"}:
        yield name, label_for_field(name, model, shown)
    for name, field in shown.form.declared_fields.items():
        yield name, field.label
    for one in getattr(shown, "list_filter", ()):
        looked_up = one[0] if isinstance(one, tuple) else one
        named = isinstance(looked_up, str)
        yield str(looked_up), label_for_field(looked_up.split("__")[0], model, shown) if named else looked_up.title


def test_whatever_the_admin_shows_has_a_persian_name() -> None:
    with override("fa"):
        names = [(model._meta.label, name, str(words)) for model, shown in _ours() for name, words in _names(model, shown)]
    assert len(names) > 400
    assert sorted({one for one in names if not PERSIAN.search(one[2])}) == []
