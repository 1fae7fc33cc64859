"""Is anybody falling through a gap? One screen, read within ten seconds, the worst first."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import (
    ALARM,
    ALIVE,
    PLAIN,
    WATCH,
    Column,
    Query,
    alerts,
    bars,
    figure,
    lines,
    link,
    rows,
    runbook,
    seconds,
)

_PROMISES = {
    "calls": ("Calls", "bdcan-hub", "A resident waits for a welfare call longer than they were promised."),
    "triage": (
        "Triage",
        "bdcan-triage",
        "A referral that no rule could place waits for a person, beyond its deadline.",
    ),
    "tasks": ("Tasks", "bdcan-hub", "A shop, a prescription or another errand is not done in time."),
    "parcels": ("Parcels", "bdcan-food", "A food parcel is not at the door in time."),
    "escalations": (
        "Escalations",
        "bdcan-escalations",
        "The council has not taken, answered or decided a case in time.",
    ),
    "welcome": ("Welcomes", "bdcan-hub", "Somebody who offered help has had no answer in time."),
}

_NO_CALL = "0 * sum by (hub) (max by (hub, state) (bdcan_welfare_calls))"
"""Zero for a hub in which nobody waits for a call, and nothing where volunteer-match does not say."""


def board() -> Board:
    """The home dashboard."""
    late = [
        figure(
            f"{title} late",
            f"{why} Zero is as promised. No data: the service's worker does not say.",
            Query(f'sum(max by (hub) (bdcan_promises_late{{promise="{promise}"}}))'),
            leads=[link("who waits", uid)],
        )
        for promise, (title, uid, why) in _PROMISES.items()
    ]
    made = Board(
        "bdcan-overview",
        "Is anybody falling through a gap?",
        "What needs somebody now: broken promises first, then the hubs with the worst first.",
        since="now-1h",
    )
    made.row(
        3,
        [
            alerts(
                "What fires",
                "Alerts that fire now. Each leads to its runbook. Empty is good.",
                [link("runbooks", "bdcan-runbooks")],
            ),
            figure(
                "Numbers are fresh",
                "How old the oldest of the figures on this page is. Red: a worker or its database stands still, and the page is not to be believed.",
                Query("max(time() - bdcan_sample_timestamp_seconds)"),
                thresholds=seconds(20, 30),
                unit="s",
                leads=[runbook("What is wrong?")],
            ),
            figure(
                "Processes away",
                "Processes that do not answer Prometheus.",
                Query('count(up{job="bdcan"} == 0) or 0 * max(up{job="bdcan"} == 1)'),
                leads=[link("platform", "bdcan-platform")],
            ),
            figure(
                "Without a worker",
                "A service without a worker keeps none of its promises, whatever its figures say.",
                Query(
                    'count(max by (service) (up{job="bdcan", process=~".+-worker"}) == 0)'
                    ' or 0 * max(up{job="bdcan", process=~".+-worker"} == 1)'
                ),
                leads=[link("platform", "bdcan-platform")],
            ),
            figure(
                "Nobody owns",
                "Referrals that routing has neither placed nor given to a person within an hour.",
                Query("max(bdcan_referrals_unplaced)"),
                leads=[link("triage", "bdcan-triage")],
            ),
            figure(
                "Set aside",
                "Records that a service could not handle and put aside: each is a step of somebody's help that does not happen.",
                Query("sum(max by (service, consumer, state, reason) (bdcan_dead_letters))"),
                leads=[runbook("Dead letters")],
            ),
        ],
        [9, 3, 3, 3, 3, 3],
    )
    made.row(
        3,
        [
            *late,
            figure(
                "Safeguarding",
                "Whether a safeguarding concern is not with the council yet, and for how long the first has waited. Fifteen minutes are promised. How many wait, nobody is told.",
                Query("max(bdcan_safeguarding_waiting_seconds) or 0 * max(bdcan_safeguarding_waiting == 0)"),
                thresholds=((None, "green"), (1, "orange"), (600, "red")),
                unit="s",
                leads=[link("clocks", "bdcan-escalations")],
            ),
            figure(
                "Events stuck",
                "Age of the oldest event that is committed and not on Kafka: all later steps of that person's help wait for it.",
                Query("max(bdcan_outbox_oldest_seconds)"),
                thresholds=seconds(15, 60),
                unit="s",
                leads=[link("one service", "bdcan-service")],
            ),
        ],
    )
    made.row(
        11,
        [
            rows(
                "Hubs, the worst first",
                "A row for each hub. Late: promises that are broken now. Calls: to make; waited: the longest wait for one; next in: until the next is due, a day where none is. Open: referrals. Tasks: without a volunteer. Unfilled: nobody was found in time. Select a hub to see its work.",
                "hub",
                Column(
                    "Late", 'sum by (hub) (max by (promise, hub) (bdcan_promises_late{hub!="none"}))', ALARM
                ),
                Column(
                    "Due in 1 h",
                    'sum by (hub) (max by (promise, hub) (bdcan_promises_due_soon{within="1h", hub!="none"}))',
                    WATCH,
                ),
                Column(
                    "Calls",
                    'sum by (hub) (max by (hub, state) (bdcan_welfare_calls{state=~"due|unanswered|claimed"}))',
                    PLAIN,
                ),
                Column(
                    "Waited",
                    f"bdcan_welfare_call_oldest_seconds or on (hub) {_NO_CALL}",
                    seconds(86400, 172800),
                    "dtdurations",
                ),
                Column(
                    "Next in",
                    f"bdcan_welfare_call_next_due_seconds or on (hub) (86400 + {_NO_CALL})",
                    ((None, "red"), (0, "orange"), (3600, "green")),
                    "dtdurations",
                ),
                Column("Open", "bdcan_hub_open_referrals", PLAIN),
                Column(
                    "Tasks",
                    'sum by (hub) (max by (hub, kind, state) (bdcan_tasks{state="open"}))',
                    PLAIN,
                ),
                Column("Unfilled", "bdcan_tasks_unfilled", WATCH),
                Column("Paused", "bdcan_hub_paused", WATCH),
                worst="Late",
                leads_to="/d/bdcan-hub?var-hub=${__value.text}&${__url_time_range}",
            ),
            bars(
                "From the first contact to the end",
                "Open referrals by how far they are, and how long ago the oldest of each came in.",
                Query('max by (state) (bdcan_referrals{state!="closed"})', "{{state}}"),
            ),
            bars(
                "Oldest and median in each stage",
                "How long ago the oldest open referral of each stage came in, and the one in the middle: half of them wait longer.",
                Query("max by (stage) (bdcan_stage_oldest_seconds)", "{{stage}}"),
                Query("max by (stage) (bdcan_stage_median_seconds)", "{{stage}}, half"),
                thresholds=seconds(3 * 86400, 7 * 86400),
                unit="dtdurations",
            ),
        ],
        [14, 5, 5],
    )
    made.row(
        4,
        [
            lines(
                "Came in and closed, per hour",
                "Referrals accepted and referrals closed. More in than out for days means that the backlog grows.",
                Query("sum(rate(bdcan_referrals_received_total[$__rate_interval])) * 3600", "came in"),
                Query("sum(rate(bdcan_referrals_closed_total[$__rate_interval])) * 3600", "closed"),
                beside=True,
            ),
            lines(
                "Late promises over time",
                "Promises that were broken at each moment, by kind.",
                Query("sum by (promise) (max by (promise, hub) (bdcan_promises_late))", "{{promise}}"),
                beside=True,
            ),
            figure(
                "Workers",
                "1: a worker of the service answers. 0: none does.",
                Query('max by (service) (up{job="bdcan", process=~".+-worker"})', "{{service}}"),
                thresholds=ALIVE,
                says={"1": "up", "0": "DOWN"},
                leads=[link("one service", "bdcan-service")],
            ),
        ],
        [9, 9, 6],
    )
    return made
