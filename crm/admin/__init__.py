from crm.admin import attributes, customers, history, purchases, visits

__all__ = ["attributes", "customers", "history", "purchases", "visits"]
