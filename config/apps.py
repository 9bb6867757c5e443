from django.apps import AppConfig


class RegularsConfig(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Regulars"
