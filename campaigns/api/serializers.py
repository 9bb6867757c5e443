"""What goes in and comes out of the API of campaigns."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import BoundedListField, Input, MomentField, Output, ReferenceField
from accounts.api.schema import ConflictSerializer
from campaigns.models import AudienceMode, Campaign
from campaigns.refusals import Severity
from crm.api.fields import CustomerField
from crm.models import Purpose
from messaging.models import MessageTemplate, SenderAccount
from segmentation.models import Segment

MAX_SEGMENTS = 50
MAX_ADDRESSES = 5


@extend_schema_field(OpenApiTypes.INT64)
class SegmentField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Segment.objects.all(), **options)


@extend_schema_field(OpenApiTypes.INT64)
class TemplateField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=MessageTemplate.objects.all(), **options)


@extend_schema_field(OpenApiTypes.INT64)
class SenderField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=SenderAccount.objects.all(), **options)


class CampaignOutput(Output):
    sender = serializers.IntegerField(source="account_id", allow_null=True, read_only=True)
    include = serializers.SerializerMethodField()
    exclude = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = (
            "id", "name", "channel", "purpose", "state", "state_reason", "template", "sender", "include", "exclude", "scheduled_at",
            "attribution_days", "created_at", "launched_at", "completed_at",
        )  # fmt: skip

    def get_include(self, campaign: Campaign) -> list[int]:
        return _segments(campaign, AudienceMode.INCLUDE)

    def get_exclude(self, campaign: Campaign) -> list[int]:
        return _segments(campaign, AudienceMode.EXCLUDE)


def _segments(campaign: Campaign, mode: AudienceMode) -> list[int]:
    # All of them: they are read for the whole page at once.
    return sorted(row.segment_id for row in campaign.audiences.all() if row.mode == mode)


def _segment_list() -> BoundedListField:
    return BoundedListField(child=SegmentField(), required=False, max_length=MAX_SEGMENTS)


class CampaignInput(Input):
    """A campaign by e-mail; without included segments it is meant for every customer."""

    name = serializers.CharField(max_length=120)
    purpose = serializers.ChoiceField(choices=Purpose.choices, required=False)
    template = TemplateField(required=False, allow_null=True)
    sender = SenderField(required=False, allow_null=True, source="account")
    include = _segment_list()
    exclude = _segment_list()
    scheduled_at = MomentField(required=False, allow_null=True)
    attribution_days = serializers.IntegerField(required=False, min_value=1, max_value=90)

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        for name in ("include", "exclude"):
            if name in values:
                values[name] = list(dict.fromkeys(values[name]))
        return values


class ScheduleInput(Input):
    at = MomentField()


class CancelInput(Input):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class DuplicateInput(Input):
    name = serializers.CharField(required=False, allow_blank=True, max_length=120)


class TestInput(Input):
    addresses = BoundedListField(child=serializers.CharField(max_length=254), min_length=1, max_length=MAX_ADDRESSES)
    customer = CustomerField(required=False, allow_null=True, help_text="As whom it is rendered; without one, with sample values.")


class CampaignPreviewInput(Input):
    customer = CustomerField(required=False, allow_null=True)


class TestOutput(serializers.Serializer[Any]):
    sent = serializers.IntegerField()
    refused = serializers.DictField(child=serializers.CharField(), help_text="Addresses it did not leave for, with what the server said.")


class CampaignProblemOutput(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    place = serializers.CharField(help_text="name, audience, message, sender or schedule.")
    severity = serializers.ChoiceField(choices=[(str(severity), str(severity)) for severity in Severity])
    line = serializers.IntegerField(allow_null=True)


class NotReadyProblemSerializer(ConflictSerializer):
    codes = ("not_ready",)
    problems = CampaignProblemOutput(many=True, help_text="What has to be mended first.")


class ReadinessOutput(serializers.Serializer[Any]):
    is_ready = serializers.BooleanField()
    problems = CampaignProblemOutput(many=True)


class ReachOutput(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    planned = serializers.IntegerField()
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="Reason → customers who are left out for it.")
