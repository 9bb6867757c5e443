from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class SegmentationConfig(AppConfig):
    name = "segmentation"
    verbose_name = _("Segments")

    def ready(self) -> None:
        from segmentation.crm_fields import register_crm_fields

        register_crm_fields()
        autodiscover_modules("segment_fields")
