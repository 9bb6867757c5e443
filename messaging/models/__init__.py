from messaging.models.account import SenderAccount, SenderKind
from messaging.models.delivery import Chunk, Delivery, DeliveryState, FateReason, SkipReason
from messaging.models.dispatch import Dispatch, DispatchState
from messaging.models.hit import HitKind, TrackingHit
from messaging.models.suppression import Suppression, SuppressionReason
from messaging.models.template import MessageTemplate, TemplateVersion

__all__ = [
    "Chunk",
    "Delivery",
    "DeliveryState",
    "Dispatch",
    "DispatchState",
    "FateReason",
    "HitKind",
    "MessageTemplate",
    "SenderAccount",
    "SenderKind",
    "SkipReason",
    "Suppression",
    "SuppressionReason",
    "TemplateVersion",
    "TrackingHit",
]
