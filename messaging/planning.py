"""Who gets a message and who does not, decided and written in one statement.

Every customer of the audience gets exactly one row of the ledger, planned or skipped with its reason, in the order of
their ids; the planned ones are cut into chunks by the same statement. Plan and start are one transaction: a crash
before its end leaves nothing, one after it leaves a running dispatch, so asking again never writes a row twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Lower

from accounts.queries import current_organization
from accounts.tenancy import current_organization_id, set_local
from crm.models import Channel, Customer, Purpose
from messaging.models import Dispatch, DispatchState, SkipReason

CHUNK_SIZE = 2_500
# Room for a million rows of the joins; the statement spills to disk beyond it.
WORK_MEMORY = "256MB"
ADDRESS_FIELDS = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.WHATSAPP: "phone"}
# Order matters: the first that applies is the reason people are told. The types are the columns' own: a million casts less.
_DECIDE = """
select audience.id as customer_id, audience.address,
    case
        when excluded.id is not null then 'excluded'::varchar(20)
        when audience.address = '' then 'no_address'::varchar(20)
        when consent.state = 'withdrawn' then 'withdrawn'::varchar(20)
        when %(needs_consent)s and consent.state is distinct from 'granted' then 'no_consent'::varchar(20)
        when suppression.address is not null then 'suppressed'::varchar(20)
        when capped.customer_id is not null then 'frequency_cap'::varchar(20)
        else ''::varchar(20)
    end as reason
from ({audience}) as audience (id, address)
left join ({excluded}) as excluded (id) on excluded.id = audience.id
left join crm_consent as consent on consent.organization_id = %(org)s and consent.customer_id = audience.id
    and consent.channel = %(channel)s and consent.purpose = %(purpose)s
left join messaging_suppression as suppression on suppression.organization_id = %(org)s
    and suppression.channel = %(channel)s and suppression.address = {address}
left join ({capped}) as capped (customer_id) on capped.customer_id = audience.id
"""
# The same mailbox in different letters; sorting a million addresses for it costs more than the rest of the decision.
_ONE_PER_ADDRESS = """
select customer_id, address, case
    when reason = '' and row_number() over (partition by reason, lower(address) order by customer_id) > 1 then 'duplicate_address'::varchar(20)
    else reason end as reason
from ({decide}) as decided
"""
_NOBODY = "select null::bigint where false"
_CAPPED = """
select delivery.customer_id from messaging_delivery as delivery
join messaging_dispatch as dispatch on dispatch.organization_id = %(org)s and dispatch.id = delivery.dispatch_id
where delivery.organization_id = %(org)s and dispatch.purpose = 'marketing'
    and (dispatch.completed_at is null or dispatch.completed_at >= %(capped_since)s)
    and delivery.state not in ('skipped', 'failed', 'bounced', 'cancelled')
    and not (delivery.state in ('planned', 'retrying') and dispatch.state in ('failed', 'cancelled'))
    and not (delivery.state in ('planned', 'retrying') and dispatch.state = 'paused' and dispatch.paused_at < %(capped_since)s)
    and (delivery.sent_at is null or delivery.sent_at >= %(capped_since)s)
group by delivery.customer_id having count(*) >= %(cap)s
"""
_COUNT = "select reason, count(*) from ({decide}) as decided group by reason"
_FOR_ONE = "select reason from ({decide}) as decided where customer_id = %(customer)s"
_WRITE = """
with written as (
    insert into messaging_delivery (organization_id, dispatch_id, customer_id, address, state, reason)
    select %(org)s, %(dispatch)s, customer_id, address, case when reason = '' then 'planned'::varchar(10) else 'skipped'::varchar(10) end, reason
    from ({decide}) as decided order by customer_id
    returning id, reason
), cut as (
    insert into messaging_chunk (organization_id, dispatch_id, first_id, last_id, done_through, sending_through)
    select %(org)s, %(dispatch)s, min(id), max(id), min(id) - 1, min(id) - 1
    from (select id, (row_number() over (order by id) - 1) / %(chunk_size)s as number from written where reason = '') as planned
    group by number order by number
)
select reason, count(*) from written group by reason
"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a message of a channel and purpose is meant for, before anyone is left out.

    ``excluded`` are customers who are left out although they are meant.
    """

    channel: Channel
    purpose: Purpose
    customers: QuerySet[Customer]
    excluded: Sequence[QuerySet[Customer]] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of an audience get the message, and how many do not for which reason."""

    planned: int
    skipped: dict[SkipReason, int] = field(default_factory=dict)

    @property
    def skipped_total(self) -> int:
        return sum(self.skipped.values())

    @property
    def total(self) -> int:
        return self.planned + self.skipped_total


def estimate_reach(audience: Audience, *, now: datetime) -> Reach:
    """What planning would decide now, counted by reason; nothing is written."""
    decide, values = _decision(audience, now)
    with transaction.atomic():
        set_local(work_mem=WORK_MEMORY)
        return _counted(_COUNT.format(decide=decide), values)


def decision_for(customer: Customer, audience: Audience, *, now: datetime) -> SkipReason | str | None:
    """What planning would decide now for one customer: ``""`` to send, a reason to skip, ``None`` if not of the audience."""
    decide, values = _decision(audience, now)
    with connection.cursor() as cursor:
        cursor.execute(_FOR_ONE.format(decide=decide), {**values, "customer": customer.pk})
        found = cursor.fetchone()
    if found is None:
        return None
    return SkipReason(found[0]) if found[0] else ""


@transaction.atomic
def plan_dispatch(*, dispatch_id: int, audience: Audience, now: datetime, chunk_size: int = CHUNK_SIZE) -> Reach | None:
    """Write the ledger and the chunks of a dispatch and let it run; ``None`` when that was done, or it was stopped, before.

    ``None`` too while somebody else does either. Ring for it after the commit (``messaging.tasks.ring``).
    """
    waiting = Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.PLANNING)
    dispatch = waiting.select_for_update(of=("self",), skip_locked=True).first()
    if dispatch is None:
        return None
    _take_turn()
    decide, values = _decision(audience, now)
    set_local(work_mem=WORK_MEMORY)
    reach = _counted(_WRITE.format(decide=decide), {**values, "dispatch": dispatch_id, "chunk_size": chunk_size})
    dispatch.planned_count, dispatch.skipped_count = reach.planned, reach.skipped_total
    dispatch.skipped_by_reason = {str(reason): count for reason, count in reach.skipped.items()}
    dispatch.state, dispatch.started_at = DispatchState.RUNNING, now
    dispatch.save(update_fields=["planned_count", "skipped_count", "skipped_by_reason", "state", "started_at"])
    return reach


def _take_turn() -> None:
    # Two plans at once would not see each other's rows and could break the frequency cap together.
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('messaging.planning'), %s)", [current_organization_id() % 2**31])


def _decision(audience: Audience, now: datetime) -> tuple[str, dict[str, Any]]:
    """The statement that decides, with its values."""
    organization = current_organization()
    values: dict[str, Any] = {
        "org": organization.pk,
        "channel": str(audience.channel),
        "purpose": str(audience.purpose),
        "needs_consent": audience.purpose != Purpose.TRANSACTIONAL,
    }
    capped = _NOBODY
    if audience.purpose == Purpose.MARKETING and organization.frequency_cap is not None:
        capped = _CAPPED
        values |= {"cap": organization.frequency_cap, "capped_since": now - timedelta(days=organization.frequency_cap_days)}
    meant = _named(_meant(audience), "meant", values)
    excluded = " union ".join(_named(each.order_by().values("pk"), f"excluded{n}", values) for n, each in enumerate(audience.excluded))
    is_unfolded = audience.channel == Channel.EMAIL and _has_unfolded_addresses()
    address = "lower(audience.address)" if is_unfolded else "audience.address"  # the list has small letters
    decide = _DECIDE.format(audience=meant, excluded=excluded or _NOBODY, capped=capped, address=address)
    return _ONE_PER_ADDRESS.format(decide=decide) if is_unfolded else decide, values


def _meant(audience: Audience) -> QuerySet[Customer, Any]:
    """Ids and addresses of the audience, each customer once whatever joins their query makes."""
    customers = audience.customers.order_by()
    query = customers.query
    if len(query.alias_map) > 1 or query.extra_tables or query.is_sliced or query.combinator:
        customers = Customer.objects.order_by().filter(pk__in=customers.values("pk"))
    name = ADDRESS_FIELDS.get(audience.channel)
    return customers.values_list("pk", F(name) if name else Value(""))


def _has_unfolded_addresses() -> bool:
    """Whether some address is not in small letters; the rules of writing see to it that none is, imports by hand may not."""
    return Customer.objects.filter(~Q(email=Lower("email"))).exists()


def _named(query: QuerySet[Any, Any], prefix: str, values: dict[str, Any]) -> str:
    """The query's SQL with its parameters by name, added to ``values``."""
    try:
        sql, parameters = query.query.sql_with_params()
    except EmptyResultSet:
        return "select null::bigint, ''::varchar where false" if prefix == "meant" else _NOBODY
    names = [f"{prefix}_{number}" for number in range(len(parameters))]
    values |= dict(zip(names, parameters, strict=True))
    # A percent sign of the query itself is doubled, and has to stay so for the second reading.
    return sql.replace("%%", "%%%%") % tuple(f"%({name})s" for name in names)


def _counted(statement: str, values: dict[str, Any]) -> Reach:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        counts = dict(cursor.fetchall())
    planned = counts.pop("", 0)
    return Reach(planned, {SkipReason(reason): counts[reason] for reason in sorted(counts)})
