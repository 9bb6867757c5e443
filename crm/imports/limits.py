"""What an import refuses to swallow, and the error it says so with."""

from typing import Any, Final

MAX_UNPACKED_BYTES: Final = 4 * 1024**3
MAX_SHEET_BYTES: Final = 1024**3
# A gzip of ordinary rows shrinks by 3 to 20; zeros by 1,000.
MAX_EXPANSION: Final = 150
FREE_EXPANSION_BYTES: Final = 64 * 1024**2
MAX_FIELD_CHARACTERS: Final = 32 * 1024
MAX_RECORD_CHARACTERS: Final = 256 * 1024
MAX_COLUMNS: Final = 500
MAX_BROKEN_QUOTES: Final = 200
MAX_KEPT_RAW: Final = 4000


class UnreadableFileError(ValueError):
    """A file that cannot be imported at all; ``code`` is stable, the message is a sentence that names ``parameters`` and says what to do."""

    def __init__(self, code: str, message: str, **parameters: Any) -> None:
        super().__init__(message % parameters if parameters else message)
        self.code, self.message, self.parameters = code, message, parameters
