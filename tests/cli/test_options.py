"""The options, and the help."""

import sys
from unittest.mock import patch

import pytest

from framer import ANY_NEWLINE, LengthPrefix, Netstring, Terminator, VarintPrefix
from framer._cli.failures import USAGE, CommandError
from framer._cli.options import DEFAULT_LIMIT, parse

FRAMINGS: list[tuple[list[str], Terminator]] = [
    ([], b"\n"),
    (["--delimiter", r"\r\n"], b"\r\n"),
    (["--delimiter", r"\r", "--delimiter", ";"], (b"\r", b";")),
    (["--any-newline"], ANY_NEWLINE),
    (["--size", "16"], 16),
    (["--length-prefix", "u32be"], LengthPrefix(4)),
    (["--length-prefix", "u16le-2"], LengthPrefix(2, "little", adjust=-2)),
    (["--varint"], VarintPrefix()),
    (["--netstring"], Netstring()),
]


@pytest.mark.parametrize(("words", "terminator"), FRAMINGS)
@pytest.mark.parametrize("command", ["split", "join", "explain"])
def test_framings(command: str, words: list[str], terminator: Terminator) -> None:
    """All commands take the same framings."""
    options = parse([command, *words, "file"])
    assert options.terminator == terminator
    assert options.framer().terminator == terminator


@pytest.mark.parametrize(("words", "terminator"), FRAMINGS)
def test_the_command_that_shows_it(words: list[str], terminator: Terminator) -> None:
    """It has the same framing, and can be typed as it stands."""
    command = parse(["split", *words, "--max-frame-size", "99", "a file"]).explain_command(7)
    assert command.startswith("framer explain ")
    assert command.endswith("--max-frame-size 99 --offset 7 'a file'")
    parts = command.replace("'a file'", "file").replace("'", "").split()
    assert parse(parts[1:]).terminator == terminator


def test_the_command_is_short() -> None:
    """What is the default anyway is not said; standard input cannot be read again."""
    assert parse(["split"]).explain_command(0) == "framer explain FILE"
    no_limit = parse(["split", "--max-frame-size", "none", "f"]).explain_command(0)
    assert no_limit == "framer explain --max-frame-size none f"


def test_limits() -> None:
    """A frame may have 16 MiB unless someone says otherwise; to join there is no limit."""
    assert parse(["split"]).framer().max_frame_size == DEFAULT_LIMIT
    assert parse(["explain", "--max-frame-size", "1K"]).framer().max_frame_size == 1024
    assert parse(["join"]).framer().max_frame_size is None


@pytest.mark.parametrize(
    "words",
    [
        ["--size", "100", "--max-frame-size", "99"],
        ["--delimiter", r"\r", "--delimiter", r"\r\n"],
    ],
)
def test_framings_that_make_no_sense(words: list[str]) -> None:
    """They are wrong usage, not a failure of the program."""
    with pytest.raises(CommandError) as failed:
        parse(["split", *words]).framer()
    assert failed.value.status == USAGE


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["cut"],
        ["split", "--size", "0"],
        ["split", "--varint", "--netstring"],
        ["split", "--delimiter", r"\q"],
        ["split", "--output", "xml"],
        ["split", "a", "b"],
        ["join", "--max-frame-size", "4"],
        ["explain", "--cuts", "x"],
        ["split", "--net"],
    ],
)
def test_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and a message; options are not abbreviated, so more may come."""
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == USAGE
    assert "usage: framer" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["split"], ["join"], ["explain"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help has examples, and is not wider than a terminal is by default, give or take."""
    with patch.dict("os.environ", COLUMNS="80"), pytest.raises(SystemExit) as ended:
        parse([*command, "--help"])
    assert not ended.value.code
    text = capsys.readouterr().out
    assert "examples:\n" in text
    assert "  framer " in text
    assert max(map(len, text.splitlines())) <= 100


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the distribution."""
    with patch("importlib.metadata.version", return_value="1.2.3") as version:
        with pytest.raises(SystemExit) as ended:
            parse(["--version"])
        version.assert_called_once_with("sansio-framer")
    assert not ended.value.code
    assert capsys.readouterr().out == "framer 1.2.3\n"


def test_version_of_what_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    """From a bare source tree there is none to say."""
    metadata = sys.modules["importlib.metadata"]
    error = metadata.PackageNotFoundError
    with patch("importlib.metadata.version", side_effect=error), pytest.raises(SystemExit):
        parse(["--version"])
    assert "not installed" in capsys.readouterr().out
