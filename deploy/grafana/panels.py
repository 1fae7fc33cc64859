"""The kinds of panel that our dashboards are made of: one form of each, with explicit thresholds, a description and a link.

A panel's number is made by the database or a process, and says nothing when that is away: no query turns a missing series
into a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.runbook_pages import part_of

SOURCE = models.DataSourceRef(type_val="prometheus", uid="prometheus")
RUNBOOKS = "bdcan-runbooks"

Thresholds: TypeAlias = Sequence[tuple[float | None, str]]
"""From which value on a colour holds, ascending; the first is None."""

ALARM: Thresholds = ((None, "green"), (1, "red"))
"""One is one too many."""
WATCH: Thresholds = ((None, "green"), (1, "orange"))
"""One is worth a look in working hours."""
PLAIN: Thresholds = ((None, "blue"),)
"""A figure that is neither good nor bad."""
ALIVE: Thresholds = ((None, "red"), (1, "green"))
"""One is as it should be, zero is not."""
NO_DATA = "no data"


def seconds(orange: float, red: float) -> Thresholds:
    """For ages."""
    return (None, "green"), (orange, "orange"), (red, "red")


@dataclass(frozen=True)
class Query:
    """A question to Prometheus, and what its answer is called: `{{hub}}` stands for a label."""

    expr: str
    name: str = ""

    def build(self, ref: str, *, instant: bool = False, as_table: bool = False) -> prometheus.Dataquery:
        """The query as a panel asks it."""
        asked = prometheus.Dataquery().expr(self.expr).ref_id(ref).datasource(SOURCE)
        asked = asked.instant() if instant else asked.range()
        if self.expr.startswith("histogram_quantile"):
            asked = asked.exemplar(True)  # points that lead to traces, where anything is traced
        if as_table:
            asked = asked.format(PromQueryFormat.TABLE)
        return asked.legend_format(self.name) if self.name else asked


Panel: TypeAlias = Any
"""A builder of the foundation's SDK. Its classes have the same methods, but no common base."""


def link(title: str, uid: str, query: str = "") -> dashboard.DashboardLink:
    """Where a panel leads: another dashboard, with the same span of time."""
    return (
        dashboard.DashboardLink(title)
        .url(f"/d/{uid}?${{__url_time_range}}{query}")
        .type(models.DashboardLinkType.LINK)
    )


def runbook(heading: str) -> dashboard.DashboardLink:
    """Leads to a part of docs/operations.md. Raises LookupError where the page has no such heading."""
    return link(f"Runbook: {heading}", RUNBOOKS, f"&viewPanel={part_of(heading).number}")


def _ref(place: int) -> str:
    return chr(ord("A") + place)


def _common(
    panel: Panel, title: str, why: str, thresholds: Thresholds, unit: str, leads: Sequence[Any]
) -> Panel:
    panel = (
        panel.title(title)
        .description(why)
        .datasource(SOURCE)
        .unit(unit)
        .decimals(0)
        .no_value(NO_DATA)
        .thresholds(_steps(thresholds))
    )
    return panel.links(list(leads)) if leads else panel


def _steps(thresholds: Thresholds) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in thresholds])
    )


def figure(
    title: str,
    why: str,
    *queries: Query,
    thresholds: Thresholds = ALARM,
    unit: str = "short",
    leads: Sequence[Any] = (),
    says: dict[str, str] | None = None,
) -> Panel:
    """Numbers on a coloured ground. `says`: words instead of values."""
    panel = _common(stat.Panel(), title, why, thresholds, unit, leads)
    panel = (
        panel.color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    if says:
        options = {value: models.ValueMappingResult(text=word) for value, word in says.items()}
        panel = panel.mappings([models.ValueMap(options=options)])
    for place, query in enumerate(queries):
        panel = panel.with_target(query.build(_ref(place), instant=True))
    return panel


def lines(
    title: str,
    why: str,
    *queries: Query,
    unit: str = "short",
    thresholds: Thresholds = PLAIN,
    leads: Sequence[Any] = (),
    stacked: bool = False,
    beside: bool = False,
) -> Panel:
    """What became of figures over time, the largest first. Thresholds are drawn as lines where there is more than one.

    `beside`: the names stand at the right, where there is little room.
    """
    legend = (
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.TABLE)
        .placement(kinds.LegendPlacement.RIGHT if beside else kinds.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
        .sort_by("Last *")
        .sort_desc(True)
        .show_legend(True)
    )
    tooltip = common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)
    panel = _common(timeseries.Panel(), title, why, thresholds, unit, leads)
    panel = (
        panel.legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(10)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    if len(thresholds) > 1:
        panel = panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.LINE)
        )
    for place, query in enumerate(queries):
        panel = panel.with_target(query.build(_ref(place)))
    return panel


def bars(
    title: str,
    why: str,
    *queries: Query,
    thresholds: Thresholds = PLAIN,
    unit: str = "short",
    leads: Sequence[Any] = (),
) -> Panel:
    """Figures beside each other, as they are now."""
    panel = _common(bargauge.Panel(), title, why, thresholds, unit, leads)
    panel = (
        panel.orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .min(0)
    )
    for place, query in enumerate(queries):
        panel = panel.with_target(query.build(_ref(place), instant=True))
    return panel


def states(
    title: str, why: str, query: Query, says: dict[str, tuple[str, str]], leads: Sequence[Any] = ()
) -> Panel:
    """When something was in which state. `says`: for a value its word and its colour."""
    options = {
        value: models.ValueMappingResult(text=word, color=colour) for value, (word, colour) in says.items()
    }
    return (
        _common(statetimeline.Panel(), title, why, PLAIN, "short", leads)
        .mappings([models.ValueMap(options=options)])
        .show_value(kinds.VisibilityMode.NEVER)
        .with_target(query.build("A"))
    )


@dataclass(frozen=True)
class Column:
    """A column of a table: a query with one value for each row."""

    name: str
    expr: str
    thresholds: Thresholds = PLAIN
    unit: str = "short"


def rows(
    title: str,
    why: str,
    key: str,
    *columns: Column,
    worst: str,
    leads_to: str = "",
    leads: Sequence[Any] = (),
) -> Panel:
    """A table with a row for each value of the label `key`, the worst first, its cells coloured.

    `worst`: the column that sorts. `leads_to`: the URL of a row, where `${__value.text}` is its key.
    """
    panel = (
        _common(table.Panel(), title, why, PLAIN, "short", leads)
        .min_width(60)
        .cell_height(kinds.TableCellHeight.SM)
    )
    names = {f"Value #{_ref(place)}": column.name for place, column in enumerate(columns)}
    for place, column in enumerate(columns):
        query = Query(f"max by ({key}) ({column.expr})")
        panel = panel.with_target(query.build(_ref(place), instant=True, as_table=True))
        panel = panel.override_by_name(
            column.name,
            [
                models.DynamicConfigValue("unit", column.unit),
                models.DynamicConfigValue("thresholds", _steps(column.thresholds).build()),
                models.DynamicConfigValue(
                    "custom.cellOptions", {"type": "color-background", "mode": "basic"}
                ),
            ],
        )
    if leads_to:
        panel = panel.override_by_name(
            key, [models.DynamicConfigValue("links", [{"title": "open", "url": leads_to}])]
        )
    return (
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "renameByName": names,
                    "indexByName": {key: 0} | {name: place + 1 for place, name in enumerate(names)},
                },
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(worst).desc(True)])
    )


def alerts(title: str, why: str, leads: Sequence[Any] = ()) -> Panel:
    """What fires now; pages first."""
    panel = (
        dashboard.Panel()
        .type("alertlist")
        .title(title)
        .description(why)
        .datasource(SOURCE)
        .options(
            {
                "alertInstanceLabelFilter": '{alertname!="Watchdog"}',  # it always fires: empty is good
                "alertName": "",
                "dashboardAlerts": False,
                "datasource": "Alertmanager",
                "groupBy": [],
                "groupMode": "default",
                "maxItems": 20,
                "sortOrder": 3,
                "stateFilter": {
                    "error": True,
                    "firing": True,
                    "noData": False,
                    "normal": False,
                    "pending": False,
                },
                "viewMode": "list",
            }
        )
    )
    return panel.links(list(leads)) if leads else panel


def gap() -> Panel:
    """A place where nothing lies: without it, Grafana moves what stands below up."""
    return text.Panel().title("").content("").description("No ward lies here.").transparent(True)


def words(title: str, content: str) -> Panel:
    """A text in Markdown."""
    return (
        text.Panel().title(title).content(content).description("The same text stands in docs/operations.md.")
    )
