"""Addresses of the pages of segments."""

from django.urls import path

from segmentation.views import editing, lists, reading

app_name = "segmentation"
urlpatterns = [
    path("", reading.list_segments, name="list"),
    path("new/", editing.new_segment, name="new"),
    path("new-list/", lists.new_list, name="new_list"),
    path("builder/", editing.redraw, name="builder"),
    path("preview/", editing.preview, name="preview"),
    path("<int:pk>/", reading.show_segment, name="segment"),
    path("<int:pk>/download/", reading.download_segment, name="download"),
    path("<int:pk>/size/", reading.show_size, name="size"),
    path("<int:pk>/edit/", editing.edit_segment, name="edit"),
    path("<int:pk>/snapshot/", lists.take_snapshot, name="snapshot"),
    path("<int:pk>/delete/", editing.remove_segment, name="delete"),
    path("<int:pk>/members/add/", lists.put_on_list, name="add_members"),
    path("<int:pk>/members/<int:customer_pk>/remove/", lists.take_off_list, name="remove_member"),
    path("<int:pk>/customers/<int:customer_pk>/", reading.show_reason, name="reason"),
    path("of-customer/<int:pk>/", reading.show_panel, name="customer_panel"),
]
