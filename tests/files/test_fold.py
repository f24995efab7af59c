"""Loops in scripts: running them gives the lines that were folded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoport.script.fold import fold, line, render


def unfolded(texts: list[str]) -> list[str]:
    """What the folded lines give when they run."""
    found: list[str] = []
    exec(
        "\n".join(["if True:", *render(fold([line(text) for text in texts]))]),
        {"put": lambda *a: found.append(repr(a))},
    )
    return found


def plainly(texts: list[str]) -> list[str]:
    found: list[str] = []
    exec("\n".join(texts), {"put": lambda *a: found.append(repr(a))})
    return found


def test_blocks_become_loops_and_loops_of_loops() -> None:
    texts = [
        f'put("stage{s}.block{b}.w{k}", {{"g": {s * 2}}}, 0.5)' for s in range(3) for b in range(4) for k in range(3)
    ]
    lines = render(fold([line(text) for text in texts]))
    assert len(lines) <= 6
    assert sum("for " in text for text in lines) >= 2
    assert unfolded(texts) == plainly(texts)


names = st.text(st.sampled_from('ab{}\\"#.0123456789 é\n'), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(names, st.integers(0, 3), st.integers(0, 20)), max_size=4), st.integers(1, 6), st.data())
def test_any_lines_come_out_as_they_went_in(block: list[tuple[str, int, int]], count: int, data: st.DataObject) -> None:
    import json

    texts = [
        f"put({json.dumps(f'{name}{start + step * k}', ensure_ascii=False)}, {start + step * k}, -1.5)"
        for k in range(count)
        for name, step, start in block
    ]
    texts += data.draw(st.lists(st.sampled_from(texts), max_size=3)) if texts else []
    assert unfolded(texts or ["pass"]) == plainly(texts or ["pass"])
