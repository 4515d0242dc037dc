"""Helpers around models, imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CustomObjectScope": "kgraph.utils.registry",
    "custom_object_scope": "kgraph.utils.registry",
    "get_custom_objects": "kgraph.utils.registry",
    "register_keras_serializable": "kgraph.utils.registry",
    "PyDataset": "kgraph.utils.data_utils",
    "Sequence": "kgraph.utils.data_utils",
    "array_to_img": "kgraph.preprocessing.image",
    "image_dataset_from_directory": "kgraph.utils.image_dataset_utils",
    "img_to_array": "kgraph.preprocessing.image",
    "load_img": "kgraph.preprocessing.image",
    "pad_sequences": "kgraph.preprocessing.sequence",
    "save_img": "kgraph.preprocessing.image",
    "split_dataset": "kgraph.utils.dataset_utils",
    "text_dataset_from_directory": "kgraph.utils.text_dataset_utils",
    "timeseries_dataset_from_array": "kgraph.utils.timeseries_dataset_utils",
    "to_categorical": "kgraph.utils.np_utils",
    "normalize": "kgraph.utils.np_utils",
    "clear_session": "kgraph.utils.layer_utils",
    "get_source_inputs": "kgraph.utils.layer_utils",
    "multi_gpu_model": "kgraph.utils.layer_utils",
    "print_summary": "kgraph.models.summary",
    "get_file": "kgraph.utils.file_utils",
    "validate_file": "kgraph.utils.file_utils",
    "GeneratorEnqueuer": "kgraph.utils.enqueuers",
    "OrderedEnqueuer": "kgraph.utils.enqueuers",
    "HDF5Matrix": "kgraph.utils.io_utils",
    "Progbar": "kgraph.callbacks.progbar",
    "set_random_seed": "kgraph.utils.rng_utils",
    "model_to_dot": "kgraph.utils.vis_utils",
    "plot_model": "kgraph.utils.vis_utils",
    "to_html": "kgraph.utils.vis_utils",
    "to_mermaid": "kgraph.utils.vis_utils",
    "to_svg": "kgraph.utils.vis_utils",
}
_MODULES = (
    "conv_utils",
    "data_utils",
    "file_utils",
    "generic_utils",
    "io_utils",
    "layer_utils",
    "np_utils",
    "rng_utils",
    "vis_utils",
)

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
