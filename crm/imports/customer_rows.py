"""Rows of a file of customers, normalised a block at a time."""

from collections.abc import Sequence
from typing import Final

from crm.imports import cells
from crm.imports.cells import NULL, Problem, Rule
from crm.imports.fields import ATTRIBUTE
from crm.imports.plan import Plan
from crm.imports.prints import prints_of
from crm.imports.records import Block
from crm.imports.rows import ColumnReader, NormalisedBlock, Square

# Columns of the staging table after the row number, in COPY's order.
STAGED: Final[dict[str, str]] = {
    "external_id": 'text collate "C"',
    "email": 'text collate "C"',
    "phone": 'text collate "C"',
    "first_name": "text",
    "last_name": "text",
    "search_key": "text",
    "birthday": "date",
    "gender": "text",
    "language": "text",
    "time_zone": "text",
    "street": "text",
    "city": "text",
    "state": "text",
    "postal_code": "text",
    "country": "text",
    "tags": "text[]",
    "attributes": "jsonb",
    "preferred_location_id": "bigint",
    "consents": "jsonb",
}
# What rows name people by, the strongest first.
IDENTITIES: Final = ("external_id", "email", "phone")
_CHANNELS: Final = {"consent_email": "email", "consent_sms": "sms", "consent_whatsapp": "whatsapp"}
_NOBODY: Final = Problem("nobody", "The row has no e-mail address, phone or customer number to know the person by.", rejects=True)


class CustomerRows:
    """The rules of one plan; keep it for all blocks of a file, it remembers what it has read."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rules: dict[str, Rule] = {
            "external_id": cells.external_id_rule(),
            "email": cells.email_rule(),
            "phone": cells.phone_rule(region=plan.region),
            "first_name": cells.text_rule(80),
            "last_name": cells.text_rule(80),
            "birthday": cells.birthday_rule(today=plan.today, order=plan.date_order),
            "gender": cells.gender_rule(),
            "language": cells.language_rule(),
            "time_zone": cells.time_zone_rule(),
            "street": cells.text_rule(200),
            "city": cells.text_rule(100),
            "state": cells.text_rule(100),
            "postal_code": cells.text_rule(20),
            "country": cells.country_rule(),
            "tags": cells.tags_rule(),
            "preferred_location": cells.location_rule(plan.locations),
        }
        self.attributes = {
            f"{ATTRIBUTE}{key}": cells.attribute_rule(key, rule, order=plan.date_order)
            for key, rule in plan.attributes.items()
            if f"{ATTRIBUTE}{key}" in plan.columns
        }
        self.consents = {field: cells.consent_rule(_CHANNELS[field]) for field in _CHANNELS if field in plan.columns}
        self.fold = cells.fold_rule()
        self.staged = staged_columns(plan)

    def block(self, block: Block) -> NormalisedBlock:
        """Normalise consecutive rows."""
        square = Square(block, self.plan.width, self.plan.delimiter)
        reader = ColumnReader(square)
        nulls: Sequence[str] = [NULL] * len(square.numbers)
        columns: dict[str, Sequence[str]] = {
            field: reader.read(field, rule, square.column(self.plan.columns[field])) if field in self.plan.columns else nulls
            for field, rule in self.rules.items()
        }
        columns["preferred_location_id"] = columns["preferred_location"]
        self._split_names(square, columns)
        columns["email"] = reader.made_emails(self.rules["email"], self.plan.email_template, columns)
        columns["search_key"] = self._search_keys(columns)
        columns["attributes"] = self._objects(reader, self.attributes)
        columns["consents"] = self._objects(reader, self.consents)
        blank = self._refuse_nobody(reader, columns)
        done = reader.block([columns[name] for name in self.staged])
        done.blank += blank
        done.prints = prints_of(square.numbers, [columns[kind] for kind in IDENTITIES])
        return done

    def _split_names(self, square: Square, columns: dict[str, Sequence[str]]) -> None:
        """A full name fills first and last name where the row has neither."""
        if "name" not in self.plan.columns:
            return
        first, last = list(columns["first_name"]), list(columns["last_name"])
        for position, name in enumerate(square.column(self.plan.columns["name"])):
            if name and first[position] == NULL and last[position] == NULL:
                given, family = split_name(name)
                first[position], last[position] = (cells.kept(self.rules["first_name"][given]), cells.kept(self.rules["last_name"][family]))
        columns["first_name"], columns["last_name"] = first, last

    def _search_keys(self, columns: dict[str, Sequence[str]]) -> Sequence[str]:
        fold = self.fold.__getitem__
        first, last = map(fold, columns["first_name"]), map(fold, columns["last_name"])
        return [f"{given} {family}" if given and family else given or family or NULL for given, family in zip(first, last, strict=True)]

    def _objects(self, reader: ColumnReader, rules: dict[str, Rule]) -> Sequence[str]:
        """Columns of JSON members joined to one column of objects; NULL where every member is missing."""
        if not rules:
            return [NULL] * len(reader.square.numbers)
        members = [reader.read(field, rule, reader.square.column(self.plan.columns[field])) for field, rule in rules.items()]
        if len(members) == 1:
            return [f"{{{member}}}" if member else NULL for member in members[0]]
        return [f"{{{joined}}}" if (joined := ", ".join(filter(None, row))) else NULL for row in zip(*members, strict=True)]

    def _refuse_nobody(self, reader: ColumnReader, columns: dict[str, Sequence[str]]) -> int:
        """Reject rows without any identity; those without any cell at all are blank."""
        blank = 0
        identities = [columns[kind] for kind in IDENTITIES]
        if not all(NULL in column for column in identities):
            return blank
        for position in [position for position, kept in enumerate(zip(*identities, strict=True)) if kept == (NULL, NULL, NULL)]:
            if position in reader.rejected:
                continue
            if any(cell and not cell.isspace() for cell in reader.square.row(position)):
                reader.note(position, _NOBODY, "")
            else:
                blank += 1
                reader.rejected[position] = None
        return blank


def staged_columns(plan: Plan) -> tuple[str, ...]:
    """The columns of the staging table that a plan can fill; of the others not even that they are empty is written."""
    told = plan.columns.keys()
    made = {
        "search_key": True,
        "email": "email" in told or plan.email_template != "",
        "first_name": not told.isdisjoint(("name", "first_name")),
        "last_name": not told.isdisjoint(("name", "last_name")),
        "preferred_location_id": "preferred_location" in told,
        "attributes": any(field.startswith(ATTRIBUTE) for field in plan.columns),
        "consents": not told.isdisjoint(_CHANNELS),
    }
    return tuple(name for name in STAGED if made.get(name, name in told))


def split_name(name: str) -> tuple[str, str]:
    """First and last name of a full one; ``Last, First`` is turned round."""
    if "," in name:
        family, _, given = name.partition(",")
        return given.strip(), family.strip()
    given, _, family = name.strip().partition(" ")
    return given, family.strip()
