from loyalty.admin import ledger, programs, referrals, rewards, stamps

__all__ = ["ledger", "programs", "referrals", "rewards", "stamps"]
