from dataclasses import dataclass
from enum import Enum
from typing import Any
from autoport.verify.running.feed import draw
from autoport.keras.read import flat_inputs
class DrawKind(Enum):
    GIVEN="given"; FIRST="first"
@dataclass(frozen=True)
class Draw:
    kind: Any
    arrays: list
    valid: Any = None
def first_draw(graph, tf, torch_reading, seed, inputs=None):
    return Draw(DrawKind.FIRST if inputs is None else DrawKind.GIVEN, draw(graph, tf, torch_reading, seed) if inputs is None else flat_inputs(inputs))
def more_draws(*a, **k): return []
