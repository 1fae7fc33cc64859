"""`python -m deploy.grafana`: writes the dashboards. `make gen` runs it."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import (
    doors,
    escalations,
    food,
    hub,
    overview,
    platform,
    runbooks,
    service,
    slo,
    triage,
)

FOLDER = Path(__file__).parent / "dashboards"
BOARDS = (overview, hub, triage, food, escalations, doors, slo, service, platform, runbooks)


def written() -> dict[Path, str]:
    """Each file that the generator makes, with its text."""
    made = [module.board() for module in BOARDS]
    return {
        FOLDER / f"{board.uid.removeprefix('bdcan-')}.json": json.dumps(
            board.build(), cls=JSONEncoder, indent=1
        )
        + "\n"
        for board in made
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
