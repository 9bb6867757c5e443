from crm.actions.consents import set_consent
from crm.actions.customers import check_customer, create_customer, update_customer
from crm.actions.purchases import NewLine, record_purchase, refund_lines, refund_moment, refund_purchase
from crm.actions.visits import book_visit, change_visit_state

__all__ = [
    "NewLine",
    "book_visit",
    "change_visit_state",
    "check_customer",
    "create_customer",
    "record_purchase",
    "refund_lines",
    "refund_moment",
    "refund_purchase",
    "set_consent",
    "update_customer",
]
