"""The default settings of framer.testing find every seeded bug, and none where there is none."""

import pytest
from seeded import BUGS, DEFAULT, GOOD, Parser, examples_until_found


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in BUGS])
def test_a_bug_is_found(bug: Parser) -> None:
    """Within forty examples; tests/bench/seeded_bugs.py has a hundred, and twelve seeds."""
    assert examples_until_found(bug, DEFAULT, 0, examples=40) is not None, bug.kind


@pytest.mark.parametrize("parser", [pytest.param(parser, id=parser.name) for parser in GOOD])
def test_a_good_parser_passes(parser: Parser) -> None:
    """No alarm where there is no bug."""
    assert examples_until_found(parser, DEFAULT, 0, examples=15) is None


def test_there_are_enough_of_them() -> None:
    """Each is another parser, and says what is wrong with it."""
    assert len(BUGS) >= 25
    assert len({bug.name for bug in BUGS}) == len({bug.kind for bug in BUGS}) == len(BUGS)
