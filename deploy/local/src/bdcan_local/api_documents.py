"""Writes the OpenAPI document of each service into a folder: `python -m bdcan_local.api_documents FOLDER`. Nothing has to run.

The settings are placeholders: a document does not depend on them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from bdcan_chassis.settings import ServiceSettings
from bdcan_local.processes import SERVICES, own_name

_ANY_TEXT = "http://127.0.0.1:9/placeholder-of-thirty-two-letters"


async def document(service_name: str) -> dict[str, Any]:
    """The OpenAPI document of a service."""
    app, settings = (import_module(f"{own_name(service_name)}.{part}") for part in ("app", "settings"))
    with tempfile.TemporaryDirectory() as folder:
        service = app.service(_settings(settings.Settings, Path(folder)))
        transactions = await service.open("document")
        try:
            return service.api(transactions).openapi()
        finally:
            await transactions.pool.close()


def _settings(kind: type[ServiceSettings], folder: Path) -> ServiceSettings:
    keys = folder / "keys.json"
    keys.write_text("[]", encoding="utf-8")
    needed = {name: _ANY_TEXT for name, field in kind.model_fields.items() if field.is_required()}
    return kind.model_validate(
        needed | {"database_url": "postgresql://nobody@127.0.0.1:9/none", "api_keys_file": keys}
    )


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in SERVICES:
        text = json.dumps(asyncio.run(document(name)), indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
