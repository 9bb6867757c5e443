"""The schema and the models say the same."""

from io import StringIO

from django.core.management import call_command


def test_every_change_of_a_model_has_its_migration(db: None) -> None:
    said = StringIO()
    call_command("makemigrations", check_changes=True, dry_run=True, stdout=said)
    assert said.getvalue() == "No changes detected\n"
