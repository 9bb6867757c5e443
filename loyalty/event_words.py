"""What the timeline of a customer says of loyalty's events."""

from django.utils.translation import gettext_lazy as _

from crm.timeline import register_event_words


def register_words() -> None:
    """Called once, when the app is ready."""
    register_event_words(
        {
            "member.joined": (_("Joined the loyalty program"), ""),
            "points.earned": (_("Earned points"), _("%(points)s points · balance %(balance)s")),
            "points.given": (_("Was given points"), _("%(points)s points · balance %(balance)s")),
            "points.taken": (_("Had points taken away"), _("%(points)s points · balance %(balance)s")),
            "points.matured": (_("Points became available"), _("%(points)s points · balance %(balance)s")),
            "points.cancelled": (_("Pending points were cancelled"), _("%(points)s points")),
            "points.redeemed": (_("Redeemed points"), _("%(points)s points · balance %(balance)s")),
            "points.restored": (_("Points came back"), _("%(points)s points · balance %(balance)s")),
            "points.expired": (_("Points expired"), _("%(points)s points · balance %(balance)s")),
            "points.clawed_back": (_("Points were taken back after a refund"), _("%(points)s points · balance %(balance)s")),
            "points.given_back": (
                _("Points were given back, the refund was of something else"),
                _("%(points)s points · balance %(balance)s"),
            ),
            "points.expiring": (_("Points expire soon"), _("%(points)s points")),
            "tier.changed": (_("Changed tier"), "%(name)s"),
            "reward.redeemed": (_("Redeemed a reward"), "%(name)s"),
            "referral.invited": (_("Invited somebody"), ""),
            "referral.joined": (_("Brought a new member"), ""),
            "referral.qualified": (_("Somebody they brought bought something"), _("%(points)s points")),
            "referral.rewarded": (_("Was rewarded for bringing somebody"), _("%(points)s points")),
            "referral.rejected": (_("A referral did not count"), ""),
            "stamp.given": (_("Got stamps"), "%(name)s · %(stamps)s"),
            "stamp.taken_back": (_("Lost stamps after a refund"), "%(name)s · %(stamps)s"),
            "voucher.given": (_("Filled a stamp card"), "%(name)s"),
            "voucher.used": (_("Used a voucher"), "%(name)s"),
            "voucher.use_undone": (_("Using a voucher was undone"), "%(name)s"),
            "voucher.cancelled": (_("A voucher was taken back"), "%(name)s"),
            "voucher.expired": (_("A voucher expired"), "%(name)s"),
        }
    )
