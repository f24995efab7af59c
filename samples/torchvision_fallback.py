"""Makes torchvision importable where its compiled operators do not load.

A torchvision built for another torch (say a CUDA build beside a CPU-only torch) fails on import,
because operators it expects are not registered. The models use none of them: it is enough to
declare them. Import this module before torchvision.
"""

from torch.library import Library

OPERATORS = Library("torchvision", "FRAGMENT")  # the declarations live as long as this object

try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
