"""NASNet-A (4 @ 1056), the mobile one, as a PyTorch module."""

from __future__ import annotations

from timm.models.nasnet import NASNetALarge
from torch import Tensor


class NASNetAMobile(NASNetALarge):
    """timm's NASNet with four normal cells a stage.

    Unlike in the large one, the cell behind a reduction sees what the reduction saw.
    """

    def __init__(self) -> None:
        super().__init__(stem_size=32, num_features=1056)
        for unused in (4, 5, 10, 11, 16, 17):
            delattr(self, f"cell_{unused}")

    def forward_features(self, x: Tensor) -> Tensor:
        """The last activation map."""
        previous = self.conv0(x)
        x = self.cell_stem_0(previous)
        previous, x = x, self.cell_stem_1(previous, x)
        for cells, reduction in (
            ((0, 1, 2, 3), self.reduction_cell_0),
            ((6, 7, 8, 9), self.reduction_cell_1),
        ):
            previous, x = self._normal_cells(previous, x, cells)
            previous, x = x, reduction(x, previous)
        _, x = self._normal_cells(previous, x, (12, 13, 14, 15))
        return self.act(x)

    def _normal_cells(self, previous: Tensor, x: Tensor, cells: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        for cell in cells:
            previous, x = x, getattr(self, f"cell_{cell}")(x, previous)
        return previous, x
