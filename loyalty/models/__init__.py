from loyalty.models.budget import BudgetUse
from loyalty.models.closing import ClosedMonth
from loyalty.models.ledger import Entry, EntryKind, Hold, HoldState, Lot, LotRemainder, Posting, Wallet
from loyalty.models.member import Member
from loyalty.models.program import Program, ProgramState, Terms
from loyalty.models.referral import Referral, ReferralCode, ReferralFlag, ReferralRejection, ReferralState, ReferredIdentity
from loyalty.models.reward import LimitPeriod, Reward, RewardKind, Voucher, VoucherState
from loyalty.models.stamp import FilledCard, MemberCard, Stamp, StampCard, StampedFor
from loyalty.models.till import OperationState, Till, TillOperation

__all__ = [
    "BudgetUse",
    "ClosedMonth",
    "Entry",
    "EntryKind",
    "FilledCard",
    "Hold",
    "HoldState",
    "LimitPeriod",
    "Lot",
    "LotRemainder",
    "Member",
    "MemberCard",
    "OperationState",
    "Posting",
    "Program",
    "ProgramState",
    "Referral",
    "ReferralCode",
    "ReferralFlag",
    "ReferralRejection",
    "ReferralState",
    "ReferredIdentity",
    "Reward",
    "RewardKind",
    "Stamp",
    "StampCard",
    "StampedFor",
    "Terms",
    "Till",
    "TillOperation",
    "Voucher",
    "VoucherState",
    "Wallet",
]
