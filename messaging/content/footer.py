"""The footer that law asks for: who sends, from where, and the way out."""

from __future__ import annotations

import html
import re

from django.utils.translation import gettext as _
from django.utils.translation import override

from messaging.content.frame import Branding
from messaging.content.grammar import protect

FOOTER_TAG = re.compile(r"\{\{[-+]?\s*footer\s*[-+]?\}\}")
_STYLE = "margin:24px 0 0;padding:16px 0;font-size:12px;line-height:1.5;color:#595959;text-align:center"


def expand_footer(source: str, branding: Branding, language: str, *, in_html: bool) -> str:
    """The source with `{{ footer }}` replaced by the organization's standard footer."""
    if not FOOTER_TAG.search(source):
        return source
    footer = _html_footer(branding, language) if in_html else _text_footer(branding, language)
    return FOOTER_TAG.sub(lambda match: footer, source)


def _html_footer(branding: Branding, language: str) -> str:
    with override(language):
        unsubscribe, preferences = _("Unsubscribe"), _("Choose what you receive")
    lines = [protect(html.escape(line)) for line in branding.lines()]
    lines.append(
        f'<a href="{{{{ unsubscribe_url }}}}" style="color:#595959">{html.escape(unsubscribe)}</a> | '
        f'<a href="{{{{ preferences_url }}}}" style="color:#595959">{html.escape(preferences)}</a>'
    )
    return f'<div style="{_STYLE}">{"<br>".join(lines)}</div>'


def _text_footer(branding: Branding, language: str) -> str:
    with override(language):
        unsubscribe, preferences = _("Unsubscribe"), _("Choose what you receive")
    lines = [protect(line) for line in branding.lines()]
    lines.append(f"{unsubscribe}: {{{{ unsubscribe_url }}}}")
    lines.append(f"{preferences}: {{{{ preferences_url }}}}")
    return "\n".join(lines)
