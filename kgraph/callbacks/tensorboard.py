"""TensorBoard: logs, the learning rate and histograms of weights as TensorBoard's event files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback
from kgraph.errors import explain

try:
    import tensorboardX
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        explain(
            "event files need the library tensorboardX", hint="pip install 'kgraph[tensorboard]'"
        ),
        name=missing.name,
    ) from missing

# What Keras's versions write besides; accepted, for the rest of the log does not depend on it.
_UNWRITTEN = (
    "write_images", "write_steps_per_second", "profile_batch", "embeddings_freq",
    "embeddings_metadata", "embeddings_layer_names", "embeddings_data", "batch_size", "write_grads",
)  # fmt: skip


class TensorBoard(Callback):
    """Writes event files for TensorBoard: `train` and `validation` in the folder.

    An epoch's values have the tags `epoch_<name>`, a batch's `batch_<name>`; the epoch, or the
    number of batches so far, is the step.

    Args:
        log_dir: the folder.
        histogram_freq: histograms of all weights each so many epochs; 0 for none.
        write_graph: accepted; `kgraph.tools` draws graphs.
        update_freq: "epoch", "batch", or the number of batches between two records of values.
        options: Keras's other arguments, which change nothing.

    Raises:
        TypeError: an argument is unknown.

    Example:
        >>> TensorBoard("logs", update_freq="batch").update_freq
        1
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        update_freq: str | int = "epoch",
        **options: Any,
    ) -> None:
        super().__init__()
        unknown = [name for name in options if name not in _UNWRITTEN]
        if unknown:
            raise TypeError(f"TensorBoard got an unexpected argument: {unknown[0]}")
        del write_graph
        self.log_dir, self.histogram_freq = os.fspath(log_dir), histogram_freq
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.batches = 0
        self.writers: dict[str, Any] = {}
        if self.update_freq != "epoch":
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def _writer(self, part: str) -> Any:
        if part not in self.writers:
            folder = os.path.join(self.log_dir, part)
            self.writers[part] = tensorboardX.SummaryWriter(folder, flush_secs=3600)
        return self.writers[part]

    def _scalar(self, part: str, tag: str, value: Any, step: int) -> None:
        if np.ndim(value) == 0:
            self._writer(part).add_scalar(tag, float(value), step)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.batches = 0

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.batches % int(self.update_freq) == 0:
            for name, value in (logs or {}).items():
                if name not in ("batch", "size"):
                    self._scalar("train", f"batch_{name}", value, self.batches)
        self.batches += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            self._scalar(part, f"epoch_{name.removeprefix('val_')}", value, epoch)
        rate = float(self.model.optimizer.learning_rate)
        self._scalar("train", "epoch_learning_rate", rate, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight in self.model.weights:
                self._writer("train").add_histogram(f"{weight.name}/histogram", weight.value, epoch)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        for writer in self.writers.values():
            writer.close()
        self.writers = {}
