"""What an operator is told of an error: enough to know that two have the same cause, and nothing of a record."""

from __future__ import annotations

import pytest

from bdcan_chassis.errors import describe

HANDLERS = """
def on_amended(amended):
    return rule(amended)

def rule(amended):
    return amended["diets"]
"""


def test_error_names_the_function_of_the_service_in_which_it_arose() -> None:
    module: dict[str, object] = {"__name__": "bdcan_toy.handlers"}
    exec(HANDLERS, module)
    on_amended = module["on_amended"]
    assert callable(on_amended)
    with pytest.raises(KeyError) as raised:
        on_amended({})
    assert describe(raised.value) == "KeyError in bdcan_toy.handlers.rule: 'diets'"


def test_error_that_no_service_saw_has_its_class_alone() -> None:
    with pytest.raises(ValueError, match="secret") as raised:
        int("a secret")
    assert describe(raised.value).partition(":")[0] == "ValueError"
