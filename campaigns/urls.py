"""Addresses of the pages of campaigns."""

from django.urls import path

from campaigns.views import detail, editing, listing, recipients, steps

app_name = "campaigns"
urlpatterns = [
    path("", listing.list_campaigns, name="list"),
    path("new/", editing.new_campaign, name="new"),
    path("running/", listing.show_running, name="running"),
    path("reach/", editing.show_reach, name="reach"),
    path("customers/<int:pk>/", recipients.customer_panel, name="customer_panel"),
    path("<int:pk>/", detail.show_campaign, name="detail"),
    path("<int:pk>/figures/", detail.show_figures, name="figures"),
    path("<int:pk>/charts/", detail.show_charts, name="charts"),
    path("<int:pk>/edit/", editing.edit_campaign, name="edit"),
    path("<int:pk>/recipients/", recipients.list_recipients, name="recipients"),
    path("<int:pk>/why/", recipients.show_why, name="why"),
    path("<int:pk>/launch/", steps.launch, name="launch"),
    path("<int:pk>/schedule/", steps.schedule, name="schedule"),
    *(path(f"<int:pk>/{step}/", steps.take_plain_step, {"step": step}, name=step) for step in steps.PLAIN_STEPS),
    path("<int:pk>/duplicate/", steps.duplicate, name="duplicate"),
    path("<int:pk>/delete/", steps.delete, name="delete"),
    path("<int:pk>/test/", steps.send_test, name="test"),
]
