"""Messaging's pages in the navigation, and its events in words (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import Group, NavigationItem, register_navigation
from crm.timeline import register_event_words

register_navigation(
    NavigationItem(Group.CAMPAIGNS, _("Templates"), "admin:messaging_messagetemplate_changelist", "draft", Permission.TEMPLATES_VIEW, 30),
    NavigationItem(Group.CAMPAIGNS, _("Deliveries"), "admin:messaging_delivery_changelist", "outbox", Permission.MESSAGES_VIEW, 40),
    NavigationItem(Group.CAMPAIGNS, _("Suppression list"), "admin:messaging_suppression_changelist", "block", Permission.MESSAGES_VIEW, 50),
    NavigationItem(
        Group.SETTINGS, _("Senders"), "admin:messaging_senderaccount_changelist", "outgoing_mail", Permission.SENDERS_CHANGE, 40
    ),
)
register_event_words(
    {
        "message.opened": (_("Opened a message"), ""),
        "message.clicked": (_("Clicked in a message"), "%(address)s"),
        "message.revisited": (_("Came back to a message"), ""),
        "message.unsubscribed": (_("Unsubscribed through a message"), ""),
        "message.bounced": (_("A message came back"), ""),
        "message.complained": (_("Complained about a message"), ""),
    }
)
