"""What the database itself refuses: to change what was posted, and entries whose legs do not sum to zero."""

from django.conf import settings
from django.db import migrations

from accounts.postgresql.wall import append_only

# An entry's legs are written by one statement, so a statement is what has to balance.
BALANCED = """
CREATE FUNCTION loyalty_posting_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY organization_id, entry_id HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the postings of an entry do not sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER loyalty_posting_balanced AFTER INSERT ON loyalty_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION loyalty_posting_balanced();
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]

    operations = [
        *(migrations.RunSQL(append_only(f"loyalty_{table}"), migrations.RunSQL.noop) for table in ("entry", "posting", "lot", "terms")),
        migrations.RunSQL(BALANCED, "DROP TRIGGER loyalty_posting_balanced ON loyalty_posting; DROP FUNCTION loyalty_posting_balanced"),
        # Entry ids are taken before the entry is written, since its own lot is named by them.
        migrations.RunSQL(f'GRANT USAGE ON SEQUENCE loyalty_entry_id_seq TO "{settings.APPLICATION_ROLE}"', migrations.RunSQL.noop),
    ]
