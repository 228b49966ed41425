"""The scene on which the tests of the worklist play."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heliograph.app.context import Context
from tests.care.worklist.scene import Scene
from tests.cast import Cast


@pytest.fixture
def scene(context: Context, cast: Cast, owner_url: str) -> Iterator[Scene]:
    made = Scene(context, cast, owner_url)
    yield made
    made.owner.dispose()
