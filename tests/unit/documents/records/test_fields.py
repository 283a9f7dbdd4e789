from __future__ import annotations

import pytest

from twinvec.documents.records.fields import missing_field


@pytest.mark.parametrize(
    ("names", "message"),
    [(["id", "body"], 'no field "text"; it has id, body'), ([], 'no field "text"; it has none')],
)
def test_the_message_lists_the_fields(names: list[str], message: str) -> None:
    assert missing_field("text", names) == message
