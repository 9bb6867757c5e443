"""What the OpenAPI document says of every operation: its scope, its idempotency key and its problems."""

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from accounts.api.errors import CONTENT_TYPE, TYPE_PREFIX
from accounts.api.idempotency import HEADER, MAX_KEY

PATH_ID = {"type": "integer", "format": "int64", "minimum": 1}
ALWAYS = {
    "400": "The request is not valid.",
    "401": "No caller.",
    "403": "The caller may not.",
    "409": "This contradicts how things stand.",
    "429": "Too many requests.",
    "503": "Busy.",
}
MISSING = {"404": "There is no such thing here."}
LOCATION = {"schema": {"type": "string", "format": "uri-reference"}, "description": "The address of what was made.", "required": True}
READING = {"413": "The body is too large.", "415": "The body is of the wrong kind."}


class ProblemErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(required=False, help_text="Where in the body, as a JSON pointer: `#/lines/0/quantity`.")
    parameter = serializers.CharField(required=False, help_text="Which query parameter or header.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField(help_text="`urn:regulars:problem:` and a stable code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # a field of this name, not what went wrong


class ConflictSerializer(ProblemSerializer):
    """A conflict with further members that say how things stand; ``codes`` are those that have them."""

    codes: ClassVar[tuple[str, ...]] = ()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "type": ConflictTypeField(self.codes)}


class ConflictTypeField(serializers.CharField):
    def __init__(self, codes: tuple[str, ...]) -> None:
        super().__init__()
        self.types = [TYPE_PREFIX + code for code in codes]


class ConflictTypeSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # registers itself
    """Names the types, so that a program knows from the type which members there are."""

    target_class = ConflictTypeField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "oneOf": [{"const": known} for known in self.target.types]}


class WrongStateProblemSerializer(ConflictSerializer):
    """It cannot be moved so from the state it is in, or not before its time."""

    codes = ("wrong_state", "not_yet")
    state = serializers.CharField(help_text="The state it is in.")


class WrongKindProblemSerializer(ConflictSerializer):
    """This is done with things of another kind."""

    codes = ("wrong_kind",)
    kind = serializers.CharField(help_text="The kind it is of.")


class OperationSchema(AutoSchema):
    """Adds to each operation what its base view does."""

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        text: str = super().get_description()
        scopes = ", ".join(f"`{scope}`" for scope in self._scopes())
        return f"{text}\n\nScope: {scopes}." if scopes else text

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return str(super().get_serializer_name(serializer, direction)).removesuffix("Output")

    def get_extensions(self) -> dict[str, Any]:
        return {**super().get_extensions(), "x-scopes": self._scopes()}

    def _scopes(self) -> list[str]:
        return [str(scope) for scope in getattr(self.view, "required_permissions", ())]

    def get_override_parameters(self) -> list[Any]:
        given = super().get_override_parameters()
        if self.method not in ("POST", "PATCH", "PUT", "DELETE"):
            return given
        text = "Any text of your own: the same request with it is done once and answered again."
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": r"^[\x20-\x7E]+$"}
        is_required = getattr(self.view, "action", "") in getattr(self.view, "keyed", ())
        return [*given, OpenApiParameter(HEADER, schema, OpenApiParameter.HEADER, required=is_required, description=text)]

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]  # untyped library
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")  # the empty text also fits where formats are not looked at, and some patterns

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problems = {**ALWAYS}
        if "{" in self.path:
            problems |= MISSING
        if self.method in ("POST", "PATCH", "PUT", "DELETE"):
            problems |= READING
        for code, description in problems.items():
            bodies.setdefault(code, {"content": {CONTENT_TYPE: {"schema": self._problem(code)}}, "description": description})
        if "201" in bodies and self._has_address():
            bodies["201"]["headers"] = {"Location": LOCATION}
        return dict(sorted(bodies.items()))

    def _has_address(self) -> bool:
        """Whether what is made can be asked for."""
        view: Any = self.view
        return view.action in view.made_at or "retrieve" in view.permissions

    def _problem(self, code: str) -> dict[str, Any]:
        kinds = getattr(self.view, "conflicts", ()) if code == "409" and self.method != "GET" else ()
        known = [self.resolve_serializer(kind, "response").ref for kind in (*kinds, ProblemSerializer)]
        return {"anyOf": known} if kinds else known[0]
