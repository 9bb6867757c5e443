from loyalty.admin import ledger, programs, referrals, rewards, stamps, tills

__all__ = ["ledger", "programs", "referrals", "rewards", "stamps", "tills"]
