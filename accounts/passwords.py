"""What a password has to be, in words of the reader's language."""

from django.contrib.auth import password_validation

from accounts.formats import digits


class MinimumLengthValidator(password_validation.MinimumLengthValidator):
    """Django's, with its number in the digits of the reader's language."""

    def get_error_message(self) -> str:
        return digits(super().get_error_message())

    def get_help_text(self) -> str:
        return digits(super().get_help_text())
