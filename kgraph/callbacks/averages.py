"""SwapEMAWeights: evaluates and predicts with the moving averages of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.callbacks.base import Callback


class SwapEMAWeights(Callback):
    """Exchanges the weights with their moving averages while the model is measured.

    Args:
        swap_on_epoch: whether they are exchanged at the end of every epoch and back at the
            beginning of the next, so that a checkpoint in between holds the averages.

    Raises:
        ValueError: the optimizer keeps no averages.

    Example:
        >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
        True
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._measuring = False

    @property
    def averages(self) -> Any:
        """What the optimizer keeps.

        Raises:
            ValueError: it keeps no averages.
        """
        found = getattr(self.model.optimizer, "averages", None)
        if found is None:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                f"Received: {self.model.optimizer!r}"
            )
        return found

    def get_state(self) -> dict[str, Any]:
        """Whether weights and averages stand in each other's place."""
        return {"swapped": self.averages.swapped}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes what `get_state` returned."""
        self.averages.swapped = state["swapped"]

    def _begin(self) -> None:
        self._measuring = not self.averages.swapped
        if self._measuring:
            self.averages.swap()

    def _end(self) -> None:
        if self._measuring:
            self.averages.swap()
        self._measuring = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.averages.swapped:
            self.averages.swap()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.swap_on_epoch:
            self.averages.swap()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._end()

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._end()
