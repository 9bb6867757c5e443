"""The one error of the normalisation rules: a value that cannot be kept, with a code and a sentence saying why."""

from typing import Any


class NormalisationError(ValueError):
    """A value that no rule can turn into something to keep; ``code`` is stable.

    ``message`` is a sentence of the catalogue of translations, ``parameters`` are what it names (`crm.refusals`).
    """

    def __init__(self, code: str, message: str, **parameters: Any) -> None:
        super().__init__(message % parameters if parameters else message)
        self.code, self.message, self.parameters = code, message, parameters
