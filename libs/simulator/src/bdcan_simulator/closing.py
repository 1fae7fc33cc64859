"""What is printed at the end of a demo: tables of what became of everything, one story, and the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bdcan_chassis.printable import printable
from bdcan_simulator.audit import Facts
from bdcan_simulator.play import Ending
from bdcan_simulator.report import FINAL, Report
from bdcan_simulator.story import most_telling, tell

_STATES = ("open", "in-hand", "met", "referred-on", "unmet", "withdrawn")
_LONGEST_ANSWER = 80
_ENDINGS = {
    Ending.SETTLED: "Every resident who can be reached has been helped, or has an answer.",
    Ending.STILL: "The play stopped: nothing moved any more, although some requests should have.",
    Ending.OUT_OF_TIME: "The play ran out of time before everything was settled.",
}


def print_report(console: Console, report: Report, facts: Facts) -> None:
    """Print all of it."""
    console.print()
    console.print(_referrals(report))
    console.print(_needs(report))
    if report.open_by_owner:
        console.print(_open(report))
    console.print(_on_purpose(report))
    console.print(_scenes(report))
    _print_by_kafka(console, report)
    _print_story(console, facts)
    _print_verdict(console, report)


def _referrals(report: Report) -> Table:
    table = Table(title=f"What became of {report.submitted} requests for help", title_justify="left")
    table.add_column("referral")
    table.add_column("how many", justify="right")
    for outcome, count in report.by_outcome.items():
        table.add_row(f"closed: {outcome}", str(count))
    for state, count in report.by_state.items():
        if state != "closed":
            table.add_row(f"open: {state}", str(count))
    return table


def _needs(report: Report) -> Table:
    table = Table(title="Needs by who helps", title_justify="left")
    table.add_column("lane")
    for state in _STATES:
        table.add_column(state, justify="right")
    for lane, states in report.needs_by_lane_and_state.items():
        table.add_row(lane, *(str(states.get(state, "")) for state in _STATES))
    table.add_section()
    table.add_row("all", *(str(report.needs_by_state.get(state, "")) for state in _STATES))
    return table


def _open(report: Report) -> Table:
    table = Table(title="Whose the open needs are", title_justify="left")
    for column in ("owner", "open needs", "overdue", "next due"):
        table.add_column(column, justify="left" if column == "owner" else "right")
    for owner, waiting in report.open_by_owner.items():
        due = f"{waiting.next_due_at:%d %B %H:%M}" if waiting.next_due_at else "never"
        table.add_row(owner, str(waiting.needs), str(waiting.overdue), due)
    return table


def _on_purpose(report: Report) -> Table:
    table = Table(title="Sent wrong or twice on purpose", title_justify="left")
    for column in ("door", "what", "answer"):
        table.add_column(column)
    for bad in report.refused:
        table.add_row(bad.door, bad.what, _short(bad.answer) or "[red]no answer[/red]")
    for door, twice in report.sent_twice.items():
        table.add_row(door, f"{twice.sent} sent a second time", f"{twice.recognised} recognised")
    return table


def _scenes(report: Report) -> Table:
    table = Table(title="Six scenes of the day", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for scene in report.scenes.items():
        table.add_row(*scene)
    return table


def _short(answer: str | None) -> str | None:
    return answer if answer is None or len(answer) <= _LONGEST_ANSWER else answer[: _LONGEST_ANSWER - 1] + "…"


def _print_story(console: Console, facts: Facts) -> None:
    referral = most_telling(r for found in facts.referrals.values() for r in found)
    if referral is None:
        return
    codes = ", ".join(need["code"] for need in referral["needs"])
    console.print(f"\nOne of them, referral {referral['referral_id']} ({printable(codes)}):", highlight=False)
    lines = Table.grid(padding=(0, 2))
    for line in tell(referral):
        when, _, sentence = line.partition("  ")
        lines.add_row(f" {when}", escape(printable(sentence)))
    console.print(lines, highlight=False)


def _print_by_kafka(console: Console, report: Report) -> None:
    by = report.by_kafka
    console.print(
        f"\n{by.referrals} referrals came by Kafka: {by.with_receipt} have their receipt, {by.progressed} receipts told how they went"
        f" on, and {by.closed - by.ends_missing} of {by.closed} closed ones have the receipt of their end.",
        highlight=False,
    )


def _print_verdict(console: Console, report: Report) -> None:
    open_needs = sum(count for state, count in report.needs_by_state.items() if state not in FINAL)
    console.print(f"\n{_ENDINGS[report.ending]}", highlight=False)
    if open_needs:
        console.print(f"{open_needs} needs are open, each with an owner and a time.", highlight=False)
    faults = {
        f"{report.lost} LOST": report.lost_what,
        f"{report.without_owner_or_deadline} WITHOUT OWNER OR DEADLINE": ["see GET /v1/summary of intake"],
        f"{report.effects_twice} EFFECTS TWICE": report.effects_twice_what,
        f"{report.parked} PARKED": report.parked_what,
        f"{len(report.broken)} BROKEN ROUTES": list(report.broken),
    }
    for fault, examples in faults.items():
        if not fault.startswith("0 "):
            console.print(
                f"[bold red]{fault}[/bold red]: {escape(printable('; '.join(examples[:5])))}", highlight=False
            )
    if not report.stock_balanced:
        console.print("[bold red]THE STOCK DOES NOT BALANCE[/bold red]")
    if report.lost == 0:
        console.print("Nothing was lost.", highlight=False)
    console.print(
        f"{report.submitted} referrals in {report.seconds:.0f} s, {report.referrals_per_second} a second; "
        f"{report.requests} requests, {sum(report.requests_tried_again.values())} of them sent again.",
        highlight=False,
    )
    console.print("[bold green]PASSED[/bold green]" if report.passed else "[bold red]NOT PASSED[/bold red]")
