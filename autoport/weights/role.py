"""The role in which an operation reads a weight."""

from __future__ import annotations


class Role(str):
    """`kernel`, `bias`, ...; `kernel_i` for one gate of a recurrent layer; `kernel[0]`, `bias_i[2.1]` for a part.

    A role equals its text, so `op.weights["kernel"]` is the whole kernel. Nobody parses the text: `base`, `gate` and
    `parts` hold what it was made of.

    Attributes:
        base: `kernel`, `recurrent_kernel`, `bias`, ...
        gate: the gate of a recurrent layer; empty for anything else.
        parts: the index of the part, then of the part of that part, ...; nested indices share a tuple.

    Example:
        >>> Role("kernel", "i").part(0).part(2, 1)
        'kernel_i[0][2.1]'
    """

    base: str
    gate: str
    parts: tuple[tuple[int, ...], ...]

    def __new__(cls, base: str, gate: str = "", parts: tuple[tuple[int, ...], ...] = ()) -> Role:
        """A role with its text."""
        text = f"{base}_{gate}" if gate else base
        role = super().__new__(cls, text + "".join(f"[{'.'.join(map(str, part))}]" for part in parts))
        role.base, role.gate, role.parts = base, gate, parts
        return role

    @classmethod
    def of(cls, role: str) -> Role:
        """A role as it is; a text becomes the whole role with that base."""
        return role if isinstance(role, Role) else cls(role)

    def part(self, *numbers: int) -> Role:
        """The role of a part of this one."""
        return Role(self.base, self.gate, (*self.parts, numbers))

    @property
    def whole(self) -> Role:
        """The role that this is a part of."""
        return Role(self.base, self.gate)
