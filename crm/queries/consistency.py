"""Whether what is kept twice agrees: facts against the rows they count."""

from django.db import connection

from accounts.tenancy import current_organization_id

_WRONG_FACTS = """
with bought as (
    select customer_id, count(*) filter (where kind = 'sale') as sales, count(*) filter (where kind = 'refund') as refunds,
        sum(total_minor) as spent, min(purchased_at) filter (where kind = 'sale') as first_at,
        max(purchased_at) filter (where kind = 'sale') as last_at
    from crm_purchase where organization_id = %(org)s and customer_id is not null group by customer_id
), came as (
    select customer_id, count(*) filter (where state = 'completed') as visits, count(*) filter (where state = 'no_show') as missed,
        min(starts_at) filter (where state = 'completed') as first_at, max(starts_at) filter (where state = 'completed') as last_at
    from crm_visit where organization_id = %(org)s group by customer_id
)
select facts.customer_id
from crm_customerfacts as facts
left join bought on bought.customer_id = facts.customer_id
left join came on came.customer_id = facts.customer_id
where facts.organization_id = %(org)s and (
    facts.purchase_count, facts.refund_count, facts.spent_minor, facts.first_purchase_at, facts.last_purchase_at,
    facts.visit_count, facts.no_show_count, facts.first_visit_at, facts.last_visit_at
) is distinct from (
    coalesce(bought.sales, 0), coalesce(bought.refunds, 0), coalesce(bought.spent, 0), bought.first_at, bought.last_at,
    coalesce(came.visits, 0), coalesce(came.missed, 0), came.first_at, came.last_at
)
order by facts.customer_id limit %(limit)s
"""


def customers_with_wrong_facts(*, limit: int = 1_000) -> list[int]:
    """Ids of customers of the current organization whose facts differ from what counting gives."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG_FACTS, {"org": current_organization_id(), "limit": limit})
        return [customer_id for (customer_id,) in cursor.fetchall()]
