"""What is personal stays where it belongs."""

from bdcan_contracts.catalogue import PERSONAL_FIELDS
from bdcan_intake.domain.timeline import TOLD


def test_no_entry_has_a_personal_field():
    told = {name for fields in TOLD.values() for name in fields}
    assert not told & PERSONAL_FIELDS


def test_every_field_of_an_entry_is_one_of_its_event():
    for model, fields in TOLD.items():
        assert set(fields) <= set(model.model_fields), model.__name__
