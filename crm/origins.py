"""Where something came from, and what proves a consent, in words; what has none is shown as it is kept."""

from django.utils.translation import gettext_lazy as _

HOW_TOLD = [
    ("in_person", _("In person, at the counter")),
    ("phone_call", _("On the phone")),
    ("paper", _("On a paper form")),
    ("message", _("In a message of theirs")),
]
_SOURCES = {
    "page": _("a page of the product"),
    "admin": _("the list of all records"),
    "api": _("the API"),
    "import": _("an import"),
    "till": _("the till"),
    "counter": _("the counter"),
    "join_page": _("the page where friends join"),
    "preferences": _("the preference page"),
    "preference_page": _("the preference page"),
    "unsubscribe_page": _("the unsubscribe page"),
    "one_click": _("the unsubscribe button of a mail program"),
    "complaint": _("a complaint about a message"),
}
_PROOFS = {
    "how": _("How they told us"),
    "words": _("What was said or signed"),
    "told": _("Told to"),
    "place": _("Place"),
    "page": _("Page"),
    "detail": _("Details"),
    "address": _("Address"),
    "ip": _("Internet address"),
    "user_agent": _("Browser or mail program"),
    "delivery": _("Delivery number"),
    "dispatch": _("Dispatch number"),
}


def source_words(source: str) -> str:
    """``till`` as people call it."""
    return str(_SOURCES.get(source, source))


def proof_words(proof: dict[str, object]) -> list[tuple[str, str]]:
    """What proves a consent, each with its name."""
    return [(str(_PROOFS.get(name, name)), str(dict(HOW_TOLD).get(str(value), value))) for name, value in proof.items() if value]
