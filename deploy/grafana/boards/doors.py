"""The ways in: who hands in referrals, what is refused and why, and whose keys end soon."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import PLAIN, WATCH, Query, bars, figure, lines, runbook

_REFUSED = 'sum by (sender) (rate(bdcan_intake_inbound_records_total{result="refused"}[$__rate_interval]))'
_ALL = "sum by (sender) (rate(bdcan_intake_inbound_records_total[$__rate_interval]))"
_FORTNIGHT = 14 * 86400


def board() -> Board:
    """The dashboard of whoever looks after upstream systems."""
    made = Board(
        "bdcan-doors",
        "Doors and upstream systems",
        "What comes in by which door, what is refused, and who is about to be shut out.",
    )
    made.row(
        5,
        [
            figure(
                "Referrals accepted, last hour",
                "By every door together.",
                Query("sum(increase(bdcan_referrals_received_total[1h]))"),
                thresholds=PLAIN,
            ),
            figure(
                "Records refused, last hour",
                "Records of upstream systems that intake refused. Each has a receipt that says what to do; a sender who reads none loses people.",
                Query('sum(increase(bdcan_intake_inbound_records_total{result="refused"}[1h]))'),
                thresholds=WATCH,
                leads=[runbook("Machines that fail")],
            ),
            figure(
                "Lists broken off",
                "Lists whose upload or reading ended before their last row: they have to be sent again.",
                Query('max(bdcan_imports{state="broken-off"})'),
                thresholds=WATCH,
            ),
            figure(
                "First key to end, in",
                "In how much time the first API key of a system stops to work. Below zero it has ended.",
                Query("min(bdcan_api_key_expires_timestamp_seconds) - time()"),
                thresholds=((None, "red"), (0, "orange"), (_FORTNIGHT, "green")),
                unit="dtdurations",
                leads=[runbook("Keys")],
            ),
            figure(
                "First Kafka user to end, in",
                "In how much time the first system outside has no Kafka user any more. Below zero it has ended.",
                Query("min(bdcan_kafka_user_expires_timestamp_seconds) - time()"),
                thresholds=((None, "red"), (0, "orange"), (_FORTNIGHT, "green")),
                unit="dtdurations",
                leads=[runbook("Upstream systems and systems that read")],
            ),
        ],
    )
    made.row(
        9,
        [
            lines(
                "Records of upstream systems, per minute",
                "By sender and result. Repeated: the same event once more, which is answered and does nothing.",
                Query(
                    "sum by (sender, result) (rate(bdcan_intake_inbound_records_total[$__rate_interval])) * 60",
                    "{{sender}} {{result}}",
                ),
                stacked=True,
            ),
            lines(
                "Share refused",
                "Of each sender's records. A sender whose every record is refused has changed something.",
                Query(f"({_REFUSED} or 0 * {_ALL}) / ({_ALL} > 0)", "{{sender}}"),
                unit="percentunit",
                thresholds=((None, "green"), (0.2, "orange")),
            ),
            bars(
                "What is wrong, last 24 hours",
                "Refused records by what is wrong with them. docs/upstream.md has the remedy for each code.",
                Query(
                    "sort_desc(sum by (sender, code) (increase(bdcan_intake_inbound_problems_total[24h])) > 0)",
                    "{{sender}} {{code}}",
                ),
            ),
            lines(
                "Later receipts, per hour",
                "What senders hear of how their referrals go on: progressed, then closed. A sender whose referrals never close looks here.",
                Query(
                    "sum by (sender, kind) (rate(bdcan_intake_later_receipts_total[$__rate_interval])) * 3600",
                    "{{sender}} {{kind}}",
                ),
            ),
        ],
    )
    made.row(
        9,
        [
            lines(
                "Referrals by channel, per hour",
                "Telephone, web, lists, systems: what intake has accepted.",
                Query(
                    "sum by (channel) (rate(bdcan_referrals_received_total[$__rate_interval])) * 3600",
                    "{{channel}}",
                ),
                stacked=True,
            ),
            lines(
                "Callers refused, per minute",
                "Requests over a limit, and callers whom nobody knows, at all five services.",
                Query(
                    "sum by (service, reason) (rate(bdcan_http_limited_total[$__rate_interval])) * 60 > 0",
                    "{{service}} {{reason}}",
                ),
                Query(
                    "sum by (service) (rate(bdcan_sign_ins_refused_total[$__rate_interval])) * 60",
                    "{{service}} not known",
                ),
                leads=[runbook("Callers who are refused")],
            ),
            bars(
                "Lists by state",
                "Lists of rows that were handed in, by how far they are.",
                Query("max by (state) (bdcan_imports)", "{{state}}"),
            ),
        ],
    )
    return made
