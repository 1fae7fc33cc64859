"""A dashboard: its panels beside and below each other, its variables, and what stands on every one of ours."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import SOURCE, Panel

_WIDTH = 24

LINKS = (
    ("Overview", "bdcan-overview"),
    ("Hub", "bdcan-hub"),
    ("Triage", "bdcan-triage"),
    ("Food", "bdcan-food"),
    ("Escalations", "bdcan-escalations"),
    ("Doors", "bdcan-doors"),
    ("Promises and speed", "bdcan-slo"),
    ("One service", "bdcan-service"),
    ("Platform", "bdcan-platform"),
    ("Runbooks", "bdcan-runbooks"),
)


class Board:
    """A dashboard in the making. Panels are added in rows; a row of panels has one height."""

    def __init__(self, uid: str, title: str, why: str, *, since: str = "now-3h") -> None:
        self.uid = uid
        self._next_id = 1
        self._y = 0
        self._made = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(why)
            .tags(["bdcan"])
            .timezone("Europe/London")
            .refresh("10s")
            .time(since, "now")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .readonly()
        )
        for name, target in LINKS:
            if target != uid:
                self._made = self._made.link(
                    dashboard.DashboardLink(name)
                    .type(models.DashboardLinkType.LINK)
                    .url(f"/d/{target}")
                    .keep_time(True)
                )
        for name, expr, colour, says in _EVENTS:
            self._made = self._made.annotation(
                dashboard.AnnotationQuery()
                .name(name)
                .datasource(SOURCE)
                .expr(expr)
                .enable(True)
                .icon_color(colour)
                .title_format(name)
                .text_format(says)
                .step("30s")
            )

    def variable(self, name: str, label: str, asks: str, *, everything: bool = False) -> Board:
        """A choice above the panels; `asks`: `label_values(metric, label)`."""
        choice = (
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(SOURCE)
            .query(asks)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.NATURAL_ASC)
        )
        if everything:
            choice = choice.include_all(True).multi(True)
        self._made = self._made.with_variable(choice)
        return self

    def heading(self, title: str) -> Board:
        """A line between parts."""
        row = dashboard.Row(title).id(self._number()).grid_pos(models.GridPos(h=1, w=_WIDTH, x=0, y=self._y))
        self._made = self._made.with_row(row)
        self._y += 1
        return self

    def row(self, height: int, panels: Sequence[Panel], widths: Sequence[int] | None = None) -> Board:
        """Panels beside each other. `widths`: of 24; by default all are the same."""
        if widths is None:
            share, rest = divmod(_WIDTH, len(panels))
            widths = [share + (place < rest) for place in range(len(panels))]
        x = 0
        for panel, width in zip(panels, widths, strict=True):
            self._put(panel, x, self._y, width, height)
            x += width
        self._y += height
        return self

    def map(
        self,
        tiles: Sequence[Sequence[Panel]],
        *,
        width: int,
        height: int,
        beside: Sequence[Panel],
    ) -> Board:
        """Tiles of one size in rows; `beside`: what fills the rest of the breadth, from above."""
        across = max(map(len, tiles)) * width
        for down, row in enumerate(tiles):
            for right, tile in enumerate(row):
                self._put(tile, right * width, self._y + down * height, width, height)
        tall, rest = divmod(len(tiles) * height, len(beside))
        y = self._y
        for place, panel in enumerate(beside):
            share = tall + (place < rest)
            self._put(panel, across, y, _WIDTH - across, share)
            y += share
        self._y += len(tiles) * height
        return self

    def _put(self, panel: Panel, x: int, y: int, width: int, height: int) -> None:
        place = models.GridPos(h=height, w=width, x=x, y=y)
        self._made = self._made.with_panel(panel.id(self._number()).grid_pos(place))

    def build(self) -> models.Dashboard:
        """The finished dashboard."""
        return self._made.build()

    def _number(self) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        return number


_EVENTS = (
    (
        "Restart",
        'changes(process_start_time_seconds{job="bdcan"}[1m]) > 0',
        "orange",
        "{{process}} was started",
    ),
    (
        "Release",
        "count by (version) (bdcan_build_info) unless count by (version) (bdcan_build_info offset 1m)",
        "blue",
        "version {{version}}",
    ),
    ("Surge", "increase(bdcan_pulse_surges_total[1m]) > 0", "purple", "more requests than usual"),
)
"""Name, query, colour and words of what is marked on every time axis."""
