"""Pages for choosing a password; open to everyone, under the names that Django and Unfold look for."""

from django.contrib.auth import views
from django.urls import path

from accounts.views import ForgottenPasswordView

urlpatterns = [
    path("forgotten/", ForgottenPasswordView.as_view(), name="admin_password_reset"),
    path("forgotten/sent/", views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("choose/<uidb64>/<token>/", views.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
    path("chosen/", views.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
]
