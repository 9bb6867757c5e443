import secrets

from crm.normalisation import latin_digits

# Read aloud and typed at the till: no letters that look like digits.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_code(length: int) -> str:
    """A random code of 4.9 bits a letter, which says nothing of what it stands for."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def plain_code(typed: str) -> str:
    """A code however it was typed: small letters, Persian digits, spaces and dashes are all the same."""
    return "".join(letter for letter in latin_digits(typed).upper() if letter.isalnum())
