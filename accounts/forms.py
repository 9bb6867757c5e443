"""Forms of accounts, and what the forms of every tenant model share."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import PasswordResetForm
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminEmailInputWidget

from accounts.models import User


def add_refusal(form: forms.BaseForm, error: ValidationError) -> None:
    """Show at the fields of a form what an action refused; what belongs to no field stands above the form.

    Constraints name their field in the code of their error.
    """
    found = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    for name, errors in found.items():
        for one in errors:
            place = next((field for field in (name, one.code) if field in form.fields), None)
            if place is None or one.message not in _messages(form, place):
                form.add_error(place, one)


def _messages(form: forms.BaseForm, name: str) -> list[Any]:
    return [known.message for known in form.errors.as_data().get(name, [])]


class TenantModelForm(forms.ModelForm[Any]):
    """A form whose unique constraints are checked within the organization, and which shows what an action refused."""

    refused: ClassVar[ValidationError | None] = None

    def _get_validation_exclusions(self) -> set[str]:
        # Django leaves out constraints over fields that the form lacks; the organization is known without being asked for.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # not in the stubs
        return exclusions - {"organization"}

    def _update_errors(self, errors: ValidationError) -> None:
        # What the model refuses stands at the field that a constraint names, not above the form.
        add_refusal(self, errors)

    def full_clean(self) -> None:
        super().full_clean()
        # A browser does not fill in a file again.
        for name in self.files if self.is_bound and self.errors else ():
            if name in self.fields and name not in self.errors:
                self.add_error(name, _("The file was not kept: choose it again."))

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # not in the stubs
        if self.refused is not None:
            add_refusal(self, self.refused)


class LoginForm(AuthenticationForm):
    """Asks for the e-mail address; the case it is typed in does not matter."""

    error_messages = {
        "invalid_login": _("No account has this e-mail address with this password. Check both; capital letters count in the password."),
        "inactive": _("This account is closed. Ask the owner of your organization."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail")
        self.fields["username"].widget = UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "username", "dir": "ltr"})
        self.fields["password"].widget.attrs["dir"] = "ltr"

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()


class ForgottenPasswordForm(PasswordResetForm):
    """Sends the link also to those who were invited and have not chosen a password yet: theirs may have expired."""

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()

    def get_users(self, email: str) -> Iterable[User]:
        return User.objects.filter(email=email, is_active=True)
