"""Refusals of campaigns in the API's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.api.errors import Conflict, Unavailable
from campaigns.models import Campaign
from campaigns.refusals import CampaignNotReadyError, CampaignProblem, CampaignRefusedError, CampaignStateError
from messaging.content.problems import MessageRejectedError, RenderError
from segmentation.queries import SegmentTooSlow
from segmentation.rules import RulesError


@contextmanager
def refusals_told(campaign: Campaign) -> Iterator[None]:
    """Answer 409 where the campaign is not in the state or not ready for what was asked, 404 where it is gone meanwhile."""
    try:
        yield
    except CampaignNotReadyError as error:
        raise Conflict(str(error), code="not_ready", problems=[problem.as_dict() for problem in error.problems]) from error
    except CampaignStateError as error:
        now = get_object_or_404(Campaign.objects.all(), pk=campaign.pk)
        raise Conflict(str(error), code="wrong_state", facts={"state": now.state}) from error
    except CampaignRefusedError as error:
        raise Conflict(str(error), code="refused") from error
    except MessageRejectedError as error:
        problems = [CampaignProblem(each.code, each.message, "message", line=each.line).as_dict() for each in error.problems]
        raise Conflict(str(error), code="not_ready", problems=problems) from error
    except RenderError as error:
        raise ValidationError({"customer": [ErrorDetail(error.detail, code=error.reason)]}) from error
    except RulesError as error:
        raise Conflict(str(error), code="stale_rules") from error
    except SegmentTooSlow as error:
        raise Unavailable(str(error), code="too_slow") from error
