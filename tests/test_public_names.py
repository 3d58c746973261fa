"""Every room says what is public, in a sorted ``__all__``."""

import importlib
from importlib import metadata

import pytest
from muniment import journal

ROOMS = [
    "muniment.domain",
    "muniment.domain.conversation",
    "muniment.domain.protocol",
    "muniment.domain.session",
    "muniment.journal",
    "muniment.projections",
]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_sorted_and_there(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__all__ == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_version_is_that_of_the_package() -> None:
    assert journal.__version__ == metadata.version("muniment")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = journal.nonsense


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_documented(room: str) -> None:
    module = importlib.import_module(room)
    classes = [getattr(module, name) for name in module.__all__ if isinstance(getattr(module, name), type)]
    assert [cls.__name__ for cls in classes if not cls.__doc__] == []
