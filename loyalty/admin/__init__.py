from loyalty.admin import rewards

__all__ = ["rewards"]
