"""JSON from outside: an object, or nothing."""

import json


def json_object(text: str | bytes) -> dict | None:
    """The object that a text is in JSON, None for any other text: damaged, another type, or nested too deeply."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
