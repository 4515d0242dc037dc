"""The methods of a model that write and read files and texts."""

from __future__ import annotations

import json
from typing import Any

from kgraph import saving
from kgraph.models.config import model_document, to_json


class FileMethods:
    """The part of a model that goes to files and comes from them."""

    def to_json(self, **options: Any) -> str:
        """The model without weights as JSON in Keras 2.3's layout.

        Args:
            **options: for `json.dumps`, such as `indent`.

        Returns:
            The text; `model_from_json` reads it.

        Example:
            >>> import json
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, name="top")])
            >>> config = json.loads(model.to_json())["config"]
            >>> [layer["class_name"] for layer in config["layers"]]
            ['Dense']
        """
        return to_json(model_document(self), **options)

    def to_yaml(self, **options: Any) -> str:
        """The model without weights as YAML, the same tree as `to_json`.

        Args:
            **options: for `yaml.safe_dump`, such as `indent`.

        Returns:
            The text; `model_from_yaml` reads it.

        Example:
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, name="top")])
            >>> print(model.to_yaml().splitlines()[:2])
            ['backend: tensorflow', 'class_name: Sequential']
        """
        return saving.write_yaml(json.loads(self.to_json()), **options)

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Writes the model to HDF5 in Keras 2.3's layout, whole or not at all.

        Args:
            filepath: a path, a binary file, or an open h5py group.
            overwrite: whether to replace a file without asking.
            include_optimizer: whether to write what `compile` was told, and the optimizer's state.

        Raises:
            ValueError: the model is not built, or holds what has no name to be found by.

        Example:
            >>> import io
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential, load_model
            >>> file, model = io.BytesIO(), Sequential([Dense(1, input_dim=2)])
            >>> model.save(file)
            >>> load_model(file, compile=False).output_shape
            (None, 1)
        """
        saving.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights to HDF5 in Keras 2.3's layout, whole or not at all.

        Args:
            filepath: a path, a binary file, or an open h5py group.
            overwrite: whether to replace a file without asking.

        Raises:
            ValueError: the model is not built.

        Example:
            >>> import io
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> file, model = io.BytesIO(), Sequential([Dense(1, input_dim=2)])
            >>> model.save_weights(file)
            >>> file.getvalue()[1:4]
            b'HDF'
        """
        saving.save_weights(self, filepath, overwrite)

    def load_weights(
        self,
        filepath: Any,
        by_name: bool = False,
        skip_mismatch: bool = False,
        reshape: bool = False,
    ) -> None:
        """Reads weights that `save_weights` of kgraph or Keras 2 wrote; all or, on error, none.

        Args:
            filepath: a path, a binary file, or an open h5py group.
            by_name: match layers by their names instead of their order.
            skip_mismatch: with `by_name`, warn of weights that do not fit and go on.
            reshape: take weights of another shape with as many elements.

        Raises:
            ValueError: the file does not fit the model, or the model is not built.
            OSError: there is no such file, or it is not HDF5.

        Example:
            >>> import io
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> old, new = (Sequential([Dense(1, input_dim=2)]) for _ in range(2))
            >>> file = io.BytesIO()
            >>> old.save_weights(file)
            >>> new.load_weights(file)
            >>> bool((old.get_weights()[0] == new.get_weights()[0]).all())
            True
        """
        saving.load_weights(self, filepath, by_name, skip_mismatch, reshape)
