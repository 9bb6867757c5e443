"""Pure rules that turn what people type into one spelling: phones, e-mail addresses, names, digits, dates, amounts."""

from crm.normalisation.digits import latin_digits, persian_digits
from crm.normalisation.emails import normalise_email, readable_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.names import clean_text, search_key, split_tags
from crm.normalisation.phones import normalise_phone

__all__ = [
    "NormalisationError",
    "clean_text",
    "latin_digits",
    "normalise_email",
    "normalise_phone",
    "persian_digits",
    "readable_email",
    "search_key",
    "split_tags",
]
