"""Rows of a file of purchases, one line of a receipt each, normalised a block at a time."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from crm.imports import cells
from crm.imports.cells import NULL, Problem, Rule
from crm.imports.customer_rows import split_name
from crm.imports.plan import Plan
from crm.imports.records import Block
from crm.imports.rows import ColumnReader, NormalisedBlock, Square
from crm.normalisation import NormalisationError
from crm.normalisation.amounts import parse_integer, parse_moment, parse_money

# Columns of the staging table after the row number, in COPY's order.
STAGED: Final = (
    "number",
    "purchased_at",
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "search_key",
    "country",
    "product_code",
    "description",
    "category",
    "quantity",
    "unit_price_minor",
    "amount_minor",
    "payment_method",
    "location_id",
    "fingerprint",
)
_CLOCK_AHEAD: Final = timedelta(days=1)  # as at the counter: crm.actions.moments, which needs Django
_PAYMENTS: Final = {
    **dict.fromkeys(("cash", "نقد", "نقدی"), "cash"),
    **dict.fromkeys(("card", "creditcard", "debitcard", "visa", "mastercard", "amex", "pos", "کارت", "کارتخوان", "پوز"), "card"),
    **dict.fromkeys(("transfer", "banktransfer", "wire", "sepa", "cheque", "check", "انتقال", "کارتبهکارت", "چک"), "transfer"),
    **dict.fromkeys(("online", "paypal", "stripe", "web", "gateway", "انلاین", "درگاه", "اینترنتی"), "online"),
}


class PurchaseRows:
    """The rules of one plan; keep it for all blocks of a file, it remembers what it has read."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        zone, countries = ZoneInfo(plan.time_zone), cells.country_names()
        self.rules: dict[str, Rule] = {
            "number": _receipt_number(cells.text_rule(60)),
            "purchased_at": Rule(_reading(partial(_past_moment, zone=zone, plan=plan), "The row has no date.")),
            "external_id": cells.external_id_rule(),
            "email": cells.email_rule(),
            "phone": cells.phone_rule(region=plan.region),
            "country": Rule(lambda text: cells.read_words(text, words=countries, other=NULL)),
            "product_code": cells.text_rule(60),
            "description": cells.text_rule(200),
            "category": cells.text_rule(80),
            "quantity": Rule(_reading(lambda text: str(parse_integer(text)), "")),
            "unit_price": Rule(_reading(lambda text: str(parse_money(text, currency=plan.currency)), "")),
            "amount": Rule(_reading(lambda text: str(parse_money(text, currency=plan.currency)), "")),
            "payment_method": Rule(lambda text: cells.read_words(text, words=_PAYMENTS, other="other")),
            "location": cells.location_rule(plan.locations),
        }
        self.names = {"first": cells.text_rule(80), "last": cells.text_rule(80)}
        self.fold = cells.fold_rule()

    def block(self, block: Block) -> NormalisedBlock:
        """Normalise consecutive rows."""
        square = Square(block, self.plan.width, self.plan.delimiter)
        square.drop_blank()
        reader = ColumnReader(square)
        nulls: Sequence[str] = [NULL] * len(square.numbers)
        columns: dict[str, Sequence[str]] = {
            field: reader.read(field, rule, square.column(self.plan.columns[field])) if field in self.plan.columns else nulls
            for field, rule in self.rules.items()
        }
        columns["location_id"] = columns["location"]
        columns["email"] = reader.made_emails(self.rules["email"], self.plan.email_template, columns)
        self._name(square, columns, nulls)
        self._price(reader, columns)
        columns["fingerprint"] = [_fingerprint(cells) for cells in square.rows()]
        return reader.block([columns[name] for name in STAGED])

    def _name(self, square: Square, columns: dict[str, Sequence[str]], nulls: Sequence[str]) -> None:
        first, last = list(nulls), list(nulls)
        if "customer_name" in self.plan.columns:
            for position, name in enumerate(square.column(self.plan.columns["customer_name"])):
                given, family = split_name(name)
                first[position], last[position] = cells.kept(self.names["first"][given]), cells.kept(self.names["last"][family])
        keys = [f"{self.fold[given]} {self.fold[family]}".strip() for given, family in zip(first, last, strict=True)]
        columns["first_name"], columns["last_name"] = first, last
        columns["search_key"] = [cells.for_copy(key) or NULL for key in keys]

    def _price(self, reader: ColumnReader, columns: dict[str, Sequence[str]]) -> None:
        """Of quantity, unit price and amount the missing one follows from the others; the amount decides if all stand there.

        Tills write lines of no pieces: money without goods is one piece of it, nothing at all is left out.
        """
        quantities, prices, amounts = (list(columns[name]) for name in ("quantity", "unit_price", "amount"))
        for position, (quantity, price, amount) in enumerate(zip(quantities, prices, amounts, strict=True)):
            if price == NULL and amount == NULL:
                reader.note(position, Problem("price_missing", "The row has no price.", rejects=True), "unit_price")
                quantities[position] = prices[position] = amounts[position] = "0"
                continue
            count = int(quantity) if quantity != NULL else _one_of(amount)
            total = int(amount) if amount != NULL else count * int(price)
            if not count and not total:
                reader.note(position, Problem("line_empty", "The row is about no pieces and no money.", rejects=True), "quantity")
            elif not count:
                count, price = _one_of(amount), NULL
            quantities[position], amounts[position] = str(count), str(total)
            prices[position] = price if price != NULL else str(round(total / (count or 1)))
            if not -(2**62) < total < 2**62:
                reader.note(position, Problem("number_too_large", "The number is too large.", rejects=True), "amount")
        columns["quantity"], columns["unit_price_minor"], columns["amount_minor"] = quantities, prices, amounts


def _one_of(amount: str) -> int:
    return -1 if amount.startswith("-") else 1


def _reading(read: Callable[[str], str], missing: str) -> Callable[[str], str | Problem]:
    """A rule that rejects the row when its text cannot be read; an empty cell too if ``missing`` says why."""

    def rule(text: str) -> str | Problem:
        if not text.strip():
            return Problem("cell_missing", missing, rejects=True) if missing else NULL
        try:
            return read(text)
        except NormalisationError as error:
            return Problem(error.code, error.message, rejects=True, **error.parameters)

    return rule


def _receipt_number(inner: Rule) -> Rule:
    """Never cut: the beginning of a long number may be that of another receipt."""

    def rule(text: str) -> str | Problem:
        value = inner[text]
        if isinstance(value, Problem):
            return Problem("number_long", "The receipt number is longer than 60 characters.", rejects=True)
        return Problem("number_missing", "The row has no receipt number.", rejects=True) if value == NULL else value

    return Rule(rule)


def _past_moment(text: str, *, zone: ZoneInfo, plan: Plan) -> str:
    moment = parse_moment(text, zone=zone, order=plan.date_order)
    if moment.date() - plan.today > _CLOCK_AHEAD:
        raise NormalisationError("date_ahead", "A sale cannot lie in the future.")
    return moment.isoformat()


def _fingerprint(cells: Sequence[str]) -> str:
    return hashlib.md5("\x1f".join(cells).encode(), usedforsecurity=False).hexdigest()
