from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = _("Loyalty")

    def ready(self) -> None:
        from loyalty.event_words import register_words
        from loyalty.variables import register_loyalty_variables

        register_words()
        register_loyalty_variables()
