"""The one error of the normalisation rules: a value that cannot be kept, with a code and a sentence saying why."""


class NormalisationError(ValueError):
    """A value that no rule can turn into something to keep; ``code`` is stable, ``message`` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
