"""Triage and wards: what no rule could place, and where requests come from."""

from __future__ import annotations

from bdcan_routing.domain.wards import WARD_NAMES, WARDS
from deploy.grafana.layout import Board
from deploy.grafana.panels import (
    ALARM,
    WATCH,
    Panel,
    Query,
    Thresholds,
    bars,
    figure,
    gap,
    lines,
    link,
    runbook,
    seconds,
)

_NOBODY = "0 * (sum(max by (reason, priority) (bdcan_triage_held)) == 0)"
"""Zero where nobody waits, and nothing where routing does not say."""

_PLACED = "placed by a person"
_BY_HAND = "Referrals whose ward no table knows: a person gave them a hub in the last day."
WARD_MAP = (
    (_PLACED, "", "", "Chadwell Heath", "", ""),
    ("", "", "", "Whalebone", "", ""),
    ("", "", "Becontree", "Valence", "Heath", "Eastbrook & Rush Green"),
    ("", "Longbridge", "Mayesbrook", "Parsloes", "Alibon", ""),
    ("Northbury", "", "Eastbury", "Goresbrook", "Village", ""),
    ("Abbey", "Gascoigne", "Thames View", "Barking Riverside", "Beam", ""),
)
"""The wards of 2022 as tiles, each about where the middle of its postcodes lies. It needs no boundaries."""
_CODES = {name: ward for ward, name in WARD_NAMES.items() if WARDS[ward].vintage == 2022}
_DEMAND: Thresholds = (
    (None, "#3d4451"),
    (1, "super-light-blue"),
    (5, "light-blue"),
    (20, "semi-dark-blue"),
    (60, "dark-blue"),
)


def board() -> Board:
    """The dashboard of those who place referrals."""
    made = Board(
        "bdcan-triage",
        "Triage and wards",
        "Referrals that wait for a person to place them, and demand by ward.",
    )
    made.row(
        5,
        [
            figure(
                "Late",
                "Referrals that nobody has placed by their deadline: their residents have had no call.",
                Query('sum(max by (hub) (bdcan_promises_late{promise="triage"}))'),
                leads=[runbook("What is wrong?")],
            ),
            figure(
                "Waiting",
                "Referrals that wait for a person, by reason.",
                Query(
                    "sum by (reason) (max by (reason, priority) (bdcan_triage_held)) > 0 or sum(max by (reason, priority) (bdcan_triage_held)) == 0",
                    "{{reason}}",
                ),
                thresholds=((None, "green"), (1, "blue"), (20, "orange")),
            ),
            figure(
                "Longest wait",
                "How long the referral that has waited longest has waited.",
                Query(f"max(bdcan_triage_oldest_seconds) or {_NOBODY}"),
                thresholds=seconds(3600, 14400),
                unit="dtdurations",
            ),
            figure(
                "Next due in",
                "In how much time the most pressing of them must be placed. Below zero it is late; a day where none waits.",
                Query(f"min(bdcan_triage_next_due_seconds) or 86400 + {_NOBODY}"),
                thresholds=((None, "red"), (0, "orange"), (3600, "green")),
                unit="dtdurations",
            ),
            figure(
                "Hubs paused",
                "Hubs that take no new referrals: their wards' requests come here.",
                Query("max(bdcan_hubs_paused)"),
                thresholds=WATCH,
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Waiting by reason",
                "Referrals that wait for a person, over time.",
                Query("sum by (reason) (max by (reason, priority) (bdcan_triage_held))", "{{reason}}"),
                stacked=True,
            ),
            lines(
                "Waiting by priority",
                "The same by how soon help must come.",
                Query("sum by (priority) (max by (reason, priority) (bdcan_triage_held))", "{{priority}}"),
                stacked=True,
            ),
            lines(
                "Deadlines missed, per hour",
                "How often a triage deadline passed with nobody having placed the referral.",
                Query("sum(increase(bdcan_triage_late_total[1h]))", "missed"),
                thresholds=ALARM,
            ),
        ],
    )
    made.heading("Where requests come from, last 24 hours: each ward about where it lies, north is up")
    made.map(
        [[_tile(name) if name else gap() for name in row] for row in WARD_MAP],
        width=3,
        height=3,
        beside=[
            bars(
                "Requests by hub, last 24 hours",
                "Referrals that got a hub in the last day, by hub.",
                Query("sort_desc(sum by (hub) (increase(bdcan_requests_by_ward_total[24h])))", "{{hub}}"),
            ),
            lines(
                "Needs counted by the pulse, per hour",
                "What the early warning counts, by hub. A purple mark is a surge that it has announced.",
                Query(
                    'sum by (place) (rate(bdcan_pulse_requests_total{scope="hub"}[$__rate_interval])) * 3600',
                    "{{place}}",
                ),
            ),
        ],
    )
    return made


def _tile(name: str) -> Panel:
    ward = _CODES.get(name, "none")
    why = f"Referrals from {name} that got a hub in the last day." if ward != "none" else _BY_HAND
    return figure(
        name,
        why,
        Query(
            f'sum(increase(bdcan_requests_by_ward_total{{ward="{ward}"}}[24h])) or 0 * max(bdcan_hubs_paused >= 0)'
        ),
        thresholds=_DEMAND,
        leads=[link("its hub", "bdcan-hub")],
    )
