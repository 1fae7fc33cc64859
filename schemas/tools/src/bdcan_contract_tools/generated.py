"""Every generated file: where it lies under `schemas/`, and what it must hold."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bdcan_contract_tools import (
    asyncapi,
    catalogue,
    events_page,
    models,
    published,
    vocabulary_module,
    vocabulary_page,
)
from bdcan_contract_tools.sources import SourceError, Sources

_PACKAGE = Path("python/src/bdcan_contracts")


def files(sources: Sources) -> dict[Path, str]:
    """Path → text of everything that is made from the sources."""
    package = sources.root / _PACKAGE
    return {
        package / "models.py": _formatted(models.render(sources)),
        package / "vocabulary.py": _formatted(vocabulary_module.render(sources.vocabulary)),
        package / "catalogue.py": _formatted(catalogue.render(sources)),
        **{sources.root / published.FOLDER / name: text for name, text in published.files(sources)},
        sources.root / "asyncapi.yaml": asyncapi.render(sources),
        sources.root.parent / "docs" / "events.md": events_page.render(sources),
        sources.root.parent / "docs" / "vocabulary.md": vocabulary_page.render(sources.vocabulary),
    }


def write(sources: Sources) -> Iterator[Path]:
    """Write each file that is stale, and yield its path. A schema of no type is deleted."""
    for path, text in files(sources).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            yield path
    for path in _of_no_type(sources):
        path.unlink()


def stale(sources: Sources) -> Iterator[str]:
    """One sentence for each file that does not hold what it must."""
    for path, text in files(sources).items():
        if not path.exists() or path.read_bytes() != text.encode():
            yield f"{path.name}: is stale; run `make gen`"
    for path in _of_no_type(sources):
        yield f"{path.name}: belongs to no type; run `make gen`"


def _of_no_type(sources: Sources) -> list[Path]:
    known = {published.file_name(event.type) for event in sources.events}
    return [
        path for path in sorted((sources.root / published.FOLDER).glob("*.json")) if path.name not in known
    ]


def models_module(sources: Sources) -> ModuleType:
    """The generated models as they lie on disk under these sources. Raises SourceError where there are none."""
    path = sources.root / _PACKAGE / "models.py"
    spec = importlib.util.spec_from_file_location("bdcan_generated_models", path)
    if spec is None or spec.loader is None or not path.exists():
        raise SourceError("there is no models.py yet; run `make gen`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _formatted(code: str) -> str:
    """Laid out by ruff, whose version this package pins: another one might break lines elsewhere."""
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "110", "-"]
    done = subprocess.run(  # noqa: S603 - nothing here comes from outside
        ruff, input=code, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout
