from crm.models.consent import Channel, Consent, ConsentChange, ConsentState, Purpose
from crm.models.customer import AttributeDefinition, AttributeType, Customer, CustomerFacts, Gender, Identity, IdentityKind
from crm.models.event import Event, EventCursor, EventKey
from crm.models.imports import ImportChunk, ImportFinding, ImportJob, ImportJobState
from crm.models.purchase import PaymentMethod, Purchase, PurchaseKind, PurchaseLine
from crm.models.visit import Visit, VisitState

__all__ = [
    "AttributeDefinition",
    "AttributeType",
    "Channel",
    "Consent",
    "ConsentChange",
    "ConsentState",
    "Customer",
    "CustomerFacts",
    "Event",
    "EventCursor",
    "EventKey",
    "Gender",
    "Identity",
    "IdentityKind",
    "ImportChunk",
    "ImportFinding",
    "ImportJob",
    "ImportJobState",
    "PaymentMethod",
    "Purchase",
    "PurchaseKind",
    "PurchaseLine",
    "Purpose",
    "Visit",
    "VisitState",
]
