"""Keras's module paths, of every version, and where kgraph has what they hold.

A path stands without the package's name: `layers.core` for `keras.layers.core`. It gives the public
names of its homes, the first home that has a name winning. A home that kgraph does not have adds
nothing.
"""

from __future__ import annotations

_LAYERS = "kgraph.layers kgraph.compat.former"
_ENGINE = "kgraph.layers.base kgraph.layers.input kgraph.models kgraph.utils.layer_utils"

# Path -> homes. The old paths of layers give every layer: versions moved layers between them.
HOMES: dict[str, str] = {
    "activations": "kgraph.activations",
    "backend": "kgraph.backend",
    "backend.common": "kgraph.backend",
    "backend.tensorflow_backend": "kgraph.backend",
    "callbacks": "kgraph.callbacks",
    "config": "kgraph.config",
    "constraints": "kgraph.constraints",
    "datasets": "kgraph.datasets",
    "datasets.boston_housing": "kgraph.datasets.boston_housing",
    "datasets.california_housing": "kgraph.datasets.california_housing",
    "datasets.cifar10": "kgraph.datasets.cifar10",
    "datasets.cifar100": "kgraph.datasets.cifar100",
    "datasets.fashion_mnist": "kgraph.datasets.fashion_mnist",
    "datasets.imdb": "kgraph.datasets.imdb",
    "datasets.mnist": "kgraph.datasets.mnist",
    "datasets.reuters": "kgraph.datasets.reuters",
    "engine": _ENGINE,
    "engine.base_layer": _ENGINE,
    "engine.input_layer": _ENGINE,
    "engine.input_spec": _ENGINE,
    "engine.network": _ENGINE,
    "engine.saving": "kgraph.saving kgraph.models",
    "engine.sequential": _ENGINE,
    "engine.topology": _ENGINE,
    "engine.training": _ENGINE,
    "initializers": "kgraph.initializers",
    "layers": _LAYERS,
    "layers.advanced_activations": f"kgraph.layers.advanced_activations {_LAYERS}",
    "layers.convolutional": f"kgraph.layers.convolutional {_LAYERS}",
    "layers.convolutional_recurrent": f"kgraph.layers.convolutional_recurrent {_LAYERS}",
    "layers.core": f"kgraph.layers.core {_LAYERS}",
    "layers.cudnn_recurrent": _LAYERS,
    "layers.embeddings": f"kgraph.layers.embeddings {_LAYERS}",
    "layers.experimental": _LAYERS,
    "layers.experimental.preprocessing": _LAYERS,
    "layers.local": f"kgraph.layers.local {_LAYERS}",
    "layers.merge": f"kgraph.layers.merge {_LAYERS}",
    "layers.noise": f"kgraph.layers.noise {_LAYERS}",
    "layers.normalization": f"kgraph.layers.normalization {_LAYERS}",
    "layers.pooling": f"kgraph.layers.pooling {_LAYERS}",
    "layers.recurrent": f"kgraph.layers.recurrent {_LAYERS}",
    "layers.wrappers": f"kgraph.layers.wrappers {_LAYERS}",
    "legacy": "",
    "legacy.layers": "kgraph.compat.former kgraph.layers.legacy",
    "losses": "kgraph.losses",
    "metrics": "kgraph.metrics",
    "models": "kgraph.models",
    "objectives": "kgraph.losses",
    "ops": "kgraph.ops",
    "optimizers": "kgraph.optimizers",
    "optimizers.legacy": "kgraph.optimizers",
    "optimizers.schedules": "kgraph.optimizers.schedules",
    "preprocessing": "kgraph.preprocessing",
    "preprocessing.image": "kgraph.preprocessing.image",
    "preprocessing.sequence": "kgraph.preprocessing.sequence",
    "preprocessing.text": "kgraph.preprocessing.text",
    "regularizers": "kgraph.regularizers",
    "saving": "kgraph.saving kgraph.utils.registry",
    "utils": "kgraph.utils",
    "utils.conv_utils": "kgraph.utils.conv_utils",
    "utils.data_utils": "kgraph.utils.data_utils",
    "utils.generic_utils": "kgraph.utils.generic_utils",
    "utils.io_utils": "kgraph.utils.io_utils",
    "utils.layer_utils": "kgraph.utils.layer_utils",
    "utils.multi_gpu_utils": "kgraph.utils.layer_utils",
    "utils.np_utils": "kgraph.utils.np_utils",
    "utils.training_utils": "kgraph.utils.layer_utils",
    "utils.vis_utils": "kgraph.utils.vis_utils",
    "wrappers": "kgraph.wrappers",
    "wrappers.scikit_learn": "kgraph.wrappers.scikit_learn",
}

# Path -> name -> where else it lives; "" is the package itself.
NAMES: dict[str, dict[str, str]] = {
    "": {
        "Initializer": "kgraph.initializers:Initializer",
        "Input": "kgraph.layers.input:Input",
        "InputSpec": "kgraph.layers.base:InputSpec",
        "KerasTensor": "kgraph.ir.node:Node",
        "Layer": "kgraph.layers.base:Layer",
        "Loss": "kgraph.losses:Loss",
        "Metric": "kgraph.metrics:Metric",
        "Model": "kgraph.models:Model",
        "Optimizer": "kgraph.optimizers:Optimizer",
        "Regularizer": "kgraph.regularizers:Regularizer",
        "Sequential": "kgraph.models:Sequential",
        "Variable": "kgraph.ir:Variable",
    },
    "config": {"backend": "kgraph.backend:backend"},
    "engine": {"Network": "kgraph.models:Model", "Container": "kgraph.models:Model"},
    "engine.network": {"Network": "kgraph.models:Model"},
    "engine.topology": {
        "Container": "kgraph.models:Model",
        "Network": "kgraph.models:Model",
        "merge": "kgraph.compat.former:merge",
        "Merge": "kgraph.compat.former:Merge",
    },
    "regularizers": {
        "ActivityRegularizer": "kgraph.regularizers:L1L2",
        "WeightRegularizer": "kgraph.regularizers:L1L2",
        "activity_l1": "kgraph.regularizers:l1",
        "activity_l2": "kgraph.regularizers:l2",
        "l1l2": "kgraph.regularizers:l1_l2",
    },
    "utils.generic_utils": {"Progbar": "kgraph.callbacks.progbar:Progbar"},
}

# A path that is also a function: Keras 1's `merge` has the name of Keras 2's module.
CALLED = {"layers.merge": "kgraph.compat.former:merge"}
