"""What an operation reads a weight as."""

from __future__ import annotations


class Role(str):
    """`kernel`, `bias`, ...; of one gate of a recurrent layer `kernel_i`; a part of either `kernel[0]`, `bias_i[2.1]`.

    A role equals its text, so that `op.weights["kernel"]` is the whole kernel. Nobody parses the text: `base`, `gate`
    and `parts` are what it was made of.

    Attributes:
        base: `kernel`, `recurrent_kernel`, `bias`, ...
        gate: the gate of a recurrent layer; empty for anything else.
        parts: which part it is, and which part of that; each is a number, or numbers within one another.

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
        """A role that may be written as a text, which is then the base of one that is whole."""
        return role if isinstance(role, Role) else cls(role)

    def part(self, *numbers: int) -> Role:
        """A part of what is read in this role."""
        return Role(self.base, self.gate, (*self.parts, numbers))

    @property
    def whole(self) -> Role:
        """The role of which this is a part."""
        return Role(self.base, self.gate)
