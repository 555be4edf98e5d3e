"""What is mirrored is not looked through for garbage again and again."""

import gc
from collections.abc import Iterator

import pytest

from holdfast.web.garbage import spare
from tests.unit.test_look_up import Memory


class Attended(Memory):
    """A mirror that tells when it has turned."""

    def attend(self, listener: object) -> None:
        self.tell = listener


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_all_that_is_there_is_taken_out_of_the_search_once_it_is_mirrored() -> None:
    mirror = Attended()
    spare(mirror)
    mirror.ready = False
    mirror.tell()  # type: ignore[operator]
    assert gc.get_freeze_count() == 0
    mirror.ready = True
    mirror.tell()  # type: ignore[operator]
    assert gc.get_freeze_count() > 0
