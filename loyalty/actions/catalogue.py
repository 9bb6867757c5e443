"""What stands in a program's catalogue."""

from typing import Any

from django.db import transaction

from accounts.audit import Actor, changed_fields, record_audit
from loyalty.models import Program, Reward


@transaction.atomic
def create_reward(*, program: Program, actor: Actor, **values: Any) -> Reward:
    """Put a reward into a program's catalogue.

    Raises:
        ValidationError: per field.
    """
    reward = Reward(program=program, **values)
    reward.validate(trusted=["program"])
    reward.save(force_insert=True)
    record_audit(action="reward.created", subject=reward, actor=actor, after={"program": program.pk, **values})
    return reward


@transaction.atomic
def change_reward(*, reward: Reward, actor: Actor, **values: Any) -> Reward:
    """Change a reward; vouchers keep the price they were issued at. A picture that is replaced is deleted.

    Raises:
        ValidationError: per field; a stock below what is sold.
    """
    # Locked, since stock and what is sold have to be looked at together; only what changes is written.
    reward = Reward.objects.select_for_update(of=("self",)).get(pk=reward.pk)
    old_picture, storage = reward.picture.name, reward.picture.storage
    before, after = changed_fields(reward, values)
    if not after:
        return reward
    reward.validate(trusted=["program"])
    reward.save(update_fields=list(after))
    if old_picture and reward.picture.name != old_picture:
        transaction.on_commit(lambda: storage.delete(old_picture))
    record_audit(action="reward.changed", subject=reward, actor=actor, before=before, after=after)
    return reward
