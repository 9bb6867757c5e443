"""What the normalisation rules refuse, in the reader's language; the rules themselves know no languages."""

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from crm.normalisation.errors import NormalisationError

_WORDS: dict[str, str | Promise] = {
    "email_empty": _("The e-mail address is empty."),
    "email_invalid": _("This is not a valid e-mail address."),
    "phone_country": _("The country code of the phone number is missing or unknown."),
    "phone_empty": _("The phone number is empty."),
    "phone_extension": _("The phone number has an extension; only direct numbers are kept."),
    "phone_garbage": _("This is not a phone number."),
    "phone_letters": _("The phone number has letters in it."),
    "phone_long": _("The phone number is too long."),
    "phone_several": _("There is more than one phone number; give one."),
    "phone_short": _("The phone number is too short."),
    "phone_unassigned": _("No such phone number can exist in its country."),
}


def words_for(error: NormalisationError) -> str:
    """The reason in words: in English as exact as the rule gives it, elsewhere by its code."""
    if (get_language() or "en").startswith("en"):
        return error.message
    return str(_WORDS.get(error.code, error.message))
