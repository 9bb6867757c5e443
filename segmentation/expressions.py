"""SQL expressions that conditions are made of, beside those of the ORM."""

from __future__ import annotations

from typing import Any

from django.db.models import (
    BooleanField,
    CharField,
    DateField,
    DecimalField,
    Expression,
    F,
    Field,
    Func,
    IntegerField,
    JSONField,
    QuerySet,
    Subquery,
    Value,
)


class IsNotTrue(Func):
    """The complement of a condition that is exact where a value is unknown: NULL counts as "does not hold"."""

    template = "(%(expressions)s) IS NOT TRUE"
    output_field = BooleanField()


class _Among(Func):
    """A key looked up in the rows of a query of keys."""

    output_field = BooleanField()
    lookup = ""

    def __init__(self, key: F, rows: QuerySet[Any], **extra: Any) -> None:
        super().__init__(key, rows if isinstance(rows, Expression) else Subquery(rows), **extra)

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]  # the parts of a template are not ours
        (key, key_params), (rows, rows_params) = map(compiler.compile, self.get_source_expressions())
        first, last = (key_params, rows_params) if self.lookup.startswith("{key}") else (rows_params, key_params)
        return self.lookup.format(key=key, rows=rows), (*first, *last)


class NotAmong(_Among):
    """Whether a key is in none of the rows of a query of keys: an anti-join, which ``NOT IN`` never becomes."""

    lookup = "NOT EXISTS (SELECT 1 FROM {rows} AS among (key) WHERE among.key = {key})"


class AmongCounted(_Among):
    """Whether a key is among the rows of a query that counts per key.

    Materialised, because a parallel plan would otherwise have every worker count everything for itself.
    """

    lookup = "{key} IN (WITH counted (key) AS MATERIALIZED {rows} SELECT counted.key FROM counted)"


class JsonValue(Func):
    """One key of a JSON object; a name made of digits is a key too, never a position."""

    template = "(%(expressions)s)"
    arg_joiner = " -> "
    output_field: Field[Any, Any] = JSONField()

    def __init__(self, source: Any, key: Any, **extra: Any) -> None:
        super().__init__(source, key if isinstance(key, Expression) else Value(key), **extra)


class JsonText(JsonValue):
    """The text of one key of a JSON object; NULL where it is missing."""

    arg_joiner = " ->> "
    output_field = CharField()


class _JsonTyped(JsonValue):
    """One key of a JSON object, where its value is of the type; NULL otherwise, so that no cast can fail."""

    function = ""

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]  # the parts of a template are not ours
        source, key = self.get_source_expressions()
        source_sql, source_params = compiler.compile(source)
        key_sql, key_params = compiler.compile(key)
        times = self.function.count("{json}") + self.function.count("{text}")
        sql = self.function.format(json=f"({source_sql} -> {key_sql})", text=f"({source_sql} ->> {key_sql})")
        return sql, (*source_params, *key_params) * times


class JsonNumber(_JsonTyped):
    function = "(CASE WHEN jsonb_typeof({json}) = 'number' THEN {text}::numeric END)"
    output_field = DecimalField()


class JsonBoolean(_JsonTyped):
    function = "(CASE WHEN jsonb_typeof({json}) = 'boolean' THEN {text}::boolean END)"
    output_field = BooleanField()


class JsonDate(_JsonTyped):
    function = "(CASE WHEN pg_input_is_valid(substring({text} from '^\\d{{4}}-\\d{{2}}-\\d{{2}}$'), 'date') THEN {text}::date END)"
    output_field = DateField()


class JsonContainsText(JsonValue):
    """Whether a JSON text, or one of a list of them, contains a text in any case."""

    output_field = BooleanField()

    def __init__(self, source: Any, key: Any, part: Any, **extra: Any) -> None:
        super().__init__(source, key, **extra)
        self.source_expressions.append(part if isinstance(part, Expression) else Value(part))

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]  # the parts of a template are not ours
        source, key, part = map(compiler.compile, self.get_source_expressions())
        json = f"({source[0]} -> {key[0]})"
        items = f"jsonb_array_elements(CASE jsonb_typeof({json}) WHEN 'array' THEN {json} ELSE jsonb_build_array({json}) END)"
        return (
            f"EXISTS (SELECT 1 FROM {items} AS item"  # noqa: S608 - compiled SQL
            f" WHERE jsonb_typeof(item) = 'string' AND strpos(UPPER(item #>> '{{}}'), UPPER({part[0]})) > 0)",
            (*source[1], *key[1]) * 3 + tuple(part[1]),
        )


class Numeric(Func):
    """A number with as many digits as it takes."""

    template = "(%(expressions)s)::numeric"
    output_field = DecimalField()


class AgeInYears(Func):
    """Full years from a date to the day given."""

    template = "extract(year from age(%(expressions)s))::integer"
    output_field = IntegerField()


class MonthAndDay(Func):
    """``02-28`` of a date."""

    template = "to_char(%(expressions)s, 'MM-DD')"
    output_field = CharField()


class Cardinality(Func):
    function = "cardinality"
    output_field = IntegerField()


class ArrayOverlaps(Func):
    template = "(%(expressions)s)"
    arg_joiner = " && "
    output_field = BooleanField()


class ArrayHasAll(ArrayOverlaps):
    arg_joiner = " @> "
