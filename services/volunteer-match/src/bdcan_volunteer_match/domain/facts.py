"""The facts about a resident that are copied here, and the words for what a change of one does.

The tables are beside the states: `CALL_RULES` in `call`, `TASK_RULES` in `following`. A test tries every cell of them.
"""

from __future__ import annotations

from enum import StrEnum

from bdcan_contracts.vocabulary import Fact

COPIED = (
    Fact.PRIORITY,
    Fact.FLAGS,
    Fact.LANGUAGE,
    Fact.CONSENT,
    Fact.ADDRESS,
    Fact.HOUSEHOLD,
    Fact.DIETS,
)
"""The facts about a resident that are copied here. `consent`: whether anybody may ring or come at all."""


class Rule(StrEnum):
    """What a change of a fact does.

    `follow`: the copy changes at once. `warn`: it changes, and whoever has the work is told. `stop`: the work stops, and a
    person looks. `none`: the work has ended.
    """

    FOLLOW = "follow"
    WARN = "warn"
    STOP = "stop"
    NONE = "none"
