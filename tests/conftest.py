"""What every test has in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoport.graph import vocabulary

# Tests of models from elsewhere, which may use any function.
FOREIGN = ("hub", "transformers", "zoo")


@pytest.fixture(autouse=True)
def _strict_vocabulary(request: pytest.FixtureRequest) -> Iterator[None]:
    """A kind or an attribute that the vocabulary lacks is an error in tests of what autoport itself has rows for."""
    foreign = any(request.node.get_closest_marker(name) for name in FOREIGN)
    with vocabulary.strict(not foreign):
        yield
