"""`bdcan upstream …` and `bdcan consumer …`: what a person types. What the verbs do is in `handing_over.py`."""

import argparse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bdcan_local.root import Root

Say = Callable[[str], None]


def add_parsers(
    add: Callable[..., argparse.ArgumentParser],
    roots: str,
    chosen: Callable[[argparse.Namespace], Root],
    say: Say,
) -> None:
    """Add both commands. `chosen` finds the root that the options name."""
    for name, text, verbs in (
        ("upstream", "let systems submit referrals: add, list, rotate, revoke", _UPSTREAM),
        ("consumer", "let systems outside read topics: add, list, rotate, revoke", _CONSUMER),
    ):
        given = add(name, None, text).add_subparsers(required=True, metavar="VERB")
        for verb, (about, own) in verbs.items():
            parser = given.add_parser(verb, help=about, description=about[0].upper() + about[1:] + ".")
            own(parser)
            _add_places(parser, roots)
            parser.set_defaults(command=_bound(name, verb, chosen, say))


def _bound(
    command: str, verb: str, chosen: Callable[[argparse.Namespace], Root], say: Say
) -> Callable[[argparse.Namespace], int]:
    def work(options: argparse.Namespace) -> int:
        from bdcan_local import handing_over  # its imports take a second

        return handing_over.VERBS[command, verb](handing_over.Place(options, chosen, say))

    return work


def _add_places(parser: argparse.ArgumentParser, roots: str) -> None:
    parser.add_argument("--root", type=Path, help=roots)
    parser.add_argument("--secrets", type=Path, help="in place of --root: the directory of the secrets")
    parser.add_argument("--cluster", metavar="HOST:PORT", help="in place of --root: the Kafka cluster")
    parser.add_argument(
        "--replicas", type=int, default=1, help="copies of each new topic (default %(default)s)"
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="where the system outside finds Kafka, if elsewhere"
    )
    parser.add_argument(
        "--ca", type=Path, help="the certificate authority of that address, which then speaks TLS"
    )
    parser.add_argument("--intake", metavar="URL", help="where the system outside finds intake, if elsewhere")
    parser.add_argument("--by", help="who acts, for the record (default: the user of this machine)")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    parser.add_argument(
        "--show-secrets", action="store_true", help="show passwords and keys, not only their files"
    )


def _no_options(_: argparse.ArgumentParser) -> None:
    pass


def _name_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="words of a-z and 0-9 with hyphens between them")


def _about_options(parser: argparse.ArgumentParser) -> None:
    _name_option(parser)
    parser.add_argument("--contact", default="", help="whom to ring about it")
    parser.add_argument(
        "--expires", type=_life, metavar="DAYS", help="how long its credentials work (default: for ever)"
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    _about_options(parser)
    parser.add_argument("--kafka", action="store_true", help="it submits by Kafka (default: by both)")
    parser.add_argument("--http", action="store_true", help="it submits by HTTP (default: by both)")
    parser.add_argument(
        "--source", action="extend", nargs="+", default=[], help="whom it submits as (default: its name)"
    )
    parser.add_argument(
        "--sandbox", action="store_true", help="its referrals are practice, and end by themselves"
    )
    parser.add_argument(
        "--again", action="store_true", help="it is known: give it another door or source, or let it in again"
    )


def _add_reader_options(parser: argparse.ArgumentParser) -> None:
    _about_options(parser)
    parser.add_argument("--topic", action="extend", nargs="+", required=True, help="as in docs/events.md")


def _rotate_options(parser: argparse.ArgumentParser) -> None:
    _name_option(parser)
    parser.add_argument(
        "--keep-old",
        type=_days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="how long the old ones work on (default 7)",
    )
    parser.add_argument(
        "--expires", type=_life, metavar="DAYS", help="how long the new ones work (default: for ever)"
    )


def _life(text: str) -> timedelta:
    if not (span := _days(text)):
        raise ValueError
    return span


def _days(text: str) -> timedelta:
    days = float(text)
    if not 0 <= days <= 3650:  # ten years
        raise ValueError
    return timedelta(days=days)


_UPSTREAM: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "add": ("let a system submit referrals, and say what to hand over to it", _add_options),
    "list": ("show the systems that may submit, and what ends soon", _no_options),
    "rotate": ("make new credentials of a system, and let the old ones end", _rotate_options),
    "revoke": ("let a system submit nothing more, at once", _name_option),
    "sweep": ("take away the Kafka users whose time is over: run it daily", _no_options),
}
_CONSUMER: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "add": ("let a system read topics, and say what to hand over to it", _add_reader_options),
    "list": ("show the systems that may read, and what ends soon", _no_options),
    "rotate": ("make new credentials of a system, and let the old ones end", _rotate_options),
    "revoke": ("let a system read nothing more, at once", _name_option),
}
