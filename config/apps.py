from django.apps import AppConfig


class RegularsConfig(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Regulars"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers them
