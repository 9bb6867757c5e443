from crm.admin import attributes, customers, history, imports, purchases, visits

__all__ = ["attributes", "customers", "history", "imports", "purchases", "visits"]
