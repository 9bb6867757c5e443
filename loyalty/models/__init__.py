from loyalty.models.budget import BudgetUse
from loyalty.models.ledger import Entry, EntryKind, Hold, HoldState, Lot, LotRemainder, Posting, Wallet
from loyalty.models.member import Member
from loyalty.models.program import Program, ProgramState, Terms
from loyalty.models.reward import LimitPeriod, Reward, RewardKind, Voucher, VoucherState

__all__ = [
    "BudgetUse",
    "Entry",
    "EntryKind",
    "Hold",
    "HoldState",
    "LimitPeriod",
    "Lot",
    "LotRemainder",
    "Member",
    "Posting",
    "Program",
    "ProgramState",
    "Reward",
    "RewardKind",
    "Terms",
    "Voucher",
    "VoucherState",
    "Wallet",
]
