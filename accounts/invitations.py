"""Links with which a person chooses a password: for new members, and for those who forgot theirs."""

from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User


def password_link(request: HttpRequest, user: User) -> str:
    """An address that lets its bearer set the user's password once, for three days."""
    arguments = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    return request.build_absolute_uri(reverse("password_reset_confirm", args=arguments))
