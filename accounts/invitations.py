"""Links with which a person chooses a password: for new members, and for those who forgot theirs.

They go to the person's address alone. Whoever invites never sees one, so that a password proves that the address is
theirs, in whatever organization they were invited first.
"""

from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext, override

from accounts.models import User


def password_link(request: HttpRequest, user: User) -> str:
    """An address that lets its bearer set the user's password once, for three days."""
    arguments = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    return request.build_absolute_uri(reverse("password_reset_confirm", args=arguments))


def mail_password_link(request: HttpRequest, user: User, *, language: str = "", organization: str = "") -> None:
    """Send an invited person the link to choose a password, once the invitation is committed.

    Args:
        language: of the words, unless the person chose one.
        organization: the name of the one that invites.
    """
    values = {"link": password_link(request, user), "organization": organization}
    with override(user.language or language or None):
        subject = gettext("Your account at Regulars")
        mail = EmailMessage(subject, render_to_string("registration/invitation_email.txt", values), to=[user.email])
    transaction.on_commit(mail.send, robust=True)
