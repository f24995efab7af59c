"""Bars are for people at a terminal: nowhere else, never two at once, never in the way of what models print."""

from __future__ import annotations

import io
import sys

import pytest

from autoport.base.progress import stage


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_written_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("working", 3) as step:
        step()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_bar_and_what_is_printed_stays_on_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with stage("working", 2) as step:
        step()
        print("hello")
        with stage("within") as inner:
            inner()
    assert "working" in terminal.getvalue()
    assert "within" not in terminal.getvalue()
    assert capsys.readouterr().out == "hello\n"


def test_an_error_ends_the_bar() -> None:
    with pytest.raises(ZeroDivisionError), stage("working"):
        1 / 0  # noqa: B018
    with stage("again") as step:
        step()
