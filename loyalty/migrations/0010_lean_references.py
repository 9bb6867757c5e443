"""References that others imply go: checking them locks one row of the organization and one of the program for every posting.

Postings refer to entries and lots, lots to entries, entries to members, each together with the organization, and members
to the organization itself; that an entry is in its member's program is one of the promises ``verify_ledger`` checks.
"""

import django.db.models.deletion
from django.db import migrations, models

LEAN = """
DO $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT conrelid::regclass AS referring, conname FROM pg_constraint
        WHERE contype = 'f'
            AND conrelid IN ('loyalty_entry'::regclass, 'loyalty_posting'::regclass, 'loyalty_lot'::regclass, 'loyalty_lotremainder'::regclass)
            AND confrelid IN ('accounts_organization'::regclass, 'loyalty_program'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.referring, reference.conname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0009_referral_flags")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LEAN, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name="entry",
                    name="program",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.program",
                    ),
                )
            ],
        )
    ]
