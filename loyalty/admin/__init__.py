from loyalty.admin import ledger, programs, rewards

__all__ = ["ledger", "programs", "rewards"]
