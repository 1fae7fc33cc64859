"""`bdcan completion`: what a shell needs to complete the command's words, made from the command line itself (shtab)."""

from __future__ import annotations

import argparse

import shtab


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The shell's code."""
    return shtab.complete(parser, shell)
