"""Static files of packages, mended as they are collected or served; nothing of theirs is kept in the project.

Unfold's style sheet speaks of left and right, which mirrored pages get wrong: it is served with logical properties
instead. Its copy of htmx is older than the one of django-htmx: the newer stands in its place, so a page loads one.
The Jalali day picker attaches itself to the fields that a page came with, opens over the edge of a phone and stays open
behind whoever tabs on: it is made to attach when a field is entered, to stand within the page and to close when left.
Unfold's script writes the name of a chosen file beside a field, and broke off where nothing stands beside it.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder
from django.core.files.storage import FileSystemStorage

STYLESHEET = "unfold/css/styles.css"
HTMX = "unfold/js/htmx/htmx.js"
NEWER_HTMX = "django_htmx/htmx-2.min.js"
ADMIN_SCRIPT = "unfold/js/app.js"
DAY_PICKER = "jalali_suite/js/jalali-datepicker.js"

# Physical → logical. A value's side is turned only where the property is about text or floats.
PROPERTIES = [
    (r"(?<=[{;])(margin|padding)-left(?=:)", r"\1-inline-start"),
    (r"(?<=[{;])(margin|padding)-right(?=:)", r"\1-inline-end"),
    (r"(?<=[{;])border-left(-\w+)?(?=:)", r"border-inline-start\1"),
    (r"(?<=[{;])border-right(-\w+)?(?=:)", r"border-inline-end\1"),
    (r"(?<=[{;])border-(top|bottom)-left-radius(?=:)", r"border-@\1-start-radius"),
    (r"(?<=[{;])border-(top|bottom)-right-radius(?=:)", r"border-@\1-end-radius"),
    (r"(?<=[{;])scroll-(margin|padding)-left(?=:)", r"scroll-\1-inline-start"),
    (r"(?<=[{;])scroll-(margin|padding)-right(?=:)", r"scroll-\1-inline-end"),
    (r"(?<=[{;])left(?=:)", "inset-inline-start"),
    (r"(?<=[{;])right(?=:)", "inset-inline-end"),
    (r"(?<=[{;])(text-align|float|clear):left(?=[;}!])", r"\1:inline-start"),
    (r"(?<=[{;])(text-align|float|clear):right(?=[;}!])", r"\1:inline-end"),
    (r"text-align:inline-(start|end)", r"text-align:\1"),
    (r"border-@top-", "border-start-"),
    (r"border-@bottom-", "border-end-"),
]


def logical(css: str) -> str:
    """The style sheet with logical properties in the place of physical ones."""
    for pattern, replacement in PROPERTIES:
        css = re.sub(pattern, replacement, css)
    return css


_AT_ONCE = 'document.querySelectorAll("input[data-jalali-datepicker]").forEach(attach);'
_ON_FOCUS = """document.addEventListener("focus", function (event) {
      var input = event.target;
      if (!(input instanceof HTMLInputElement) || !input.hasAttribute("data-jalali-datepicker") || input.hasPicker) return;
      input.hasPicker = true;
      attach(input);
    }, true);"""


_AT_THE_LEFT = 'picker.style.left = (window.scrollX + rect.left) + "px";'
_WITHIN_THE_PAGE = 'picker.style.left = (window.scrollX + Math.max(0, rect.right - picker.offsetWidth)) + "px";'
_LEFT_BY_CLICK = 'document.addEventListener("click", function (event) { if (event.target !== input && !picker.contains(event.target)) picker.hidden = true; });'
_LEFT_BY_FOCUS = _LEFT_BY_CLICK + "\n    " + _LEFT_BY_CLICK.replace('"click"', '"focusin"')


def usable_everywhere(script: str) -> str:
    """The day picker for every field that is entered, whenever it came to the page (htmx and new rows bring some), on phones and by keyboard."""
    return script.replace(_AT_ONCE, _ON_FOCUS).replace(_AT_THE_LEFT, _WITHIN_THE_PAGE).replace(_LEFT_BY_CLICK, _LEFT_BY_FOCUS)


def without_a_place_for_the_name(script: str) -> str:
    """Unfold's script for file fields of pages too, which show the name of the file themselves."""
    return script.replace('placeholder.setAttribute("value"', 'placeholder?.setAttribute("value"')


# What is served: made from which file, and how.
MENDED: dict[str, tuple[str, Callable[[str], str]]] = {
    STYLESHEET: (STYLESHEET, logical),
    HTMX: (NEWER_HTMX, str),
    DAY_PICKER: (DAY_PICKER, usable_everywhere),
    ADMIN_SCRIPT: (ADMIN_SCRIPT, without_a_place_for_the_name),
}


class MendedFinder(BaseFinder):
    """Finds the mended files, making them anew when the installed ones are newer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.folder = settings.EMBEDDED_HOME.folder / "static"
        self.storage = FileSystemStorage(location=self.folder)
        self.storage.prefix = ""  # type: ignore[attr-defined]  # read by collectstatic

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path not in MENDED:
            return []
        found = str(self._mended(path))
        return [found] if find_all else found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        for path in MENDED:
            self._mended(path)
            yield path, self.storage

    def _mended(self, path: str) -> Path:
        name, mend = MENDED[path]
        source = _original(name)
        target = self.folder / path
        if not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime, Path(__file__).stat().st_mtime):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            part.write_text(mend(source.read_text(encoding="utf-8")), encoding="utf-8")
            part.replace(target)  # another process may be serving the old one
        return target


def _original(path: str) -> Path:
    """The file as its package ships it."""
    found = AppDirectoriesFinder().find(path)
    if not found:
        raise FileNotFoundError(f"no installed app has the static file {path}")
    return Path(str(found))
