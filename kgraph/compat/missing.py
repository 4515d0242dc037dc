"""What kgraph does not have of Keras and TensorFlow, and what to use instead."""

from __future__ import annotations

_AUGMENT = "keras.preprocessing.image.ImageDataGenerator changes images at random"
_WORDS = "keras.preprocessing.text.Tokenizer turns words into ids"
_NETWORKS = "build the network of layers, and read weights with model.load_weights"
_DEVICES = "kgraph runs on the processor of one machine: leave it out"
_DTYPES = "give `dtype` to layers, or call keras.backend.set_floatx for all of them"
_DRAW = "keras.utils.plot_model draws a model, and so does `kgraph viz model.json -o model.svg`"
_LOOPS = "model.compile and model.fit, or kgraph.value_and_grad for a loop of your own"
_DATA = "give NumPy arrays or a keras.utils.Sequence to model.fit"
_BY_KIND = "serialize and deserialize of its kind, such as keras.layers.serialize"
_OPTIMIZERS = "a train_step of your own, with an optimizer.apply for each part of the weights"
_IDS = "look the ids up with a dictionary or numpy.unique before the model"

# Path without the package's name -> what to use instead. A path serves what lies below it, too.
ADVICE: dict[str, str] = {
    "applications": _NETWORKS,
    "Function": "keras.Model, or kgraph.function for tensors in and arrays out",
    "Operation": "keras.layers.Layer, or a plain function of keras.ops",
    "Quantizer": "kgraph computes in float16, float32 and float64",
    "StatelessScope": "kgraph's functions have no hidden state: see kgraph.function",
    "callbacks.tensorboard_v1": "keras.callbacks.TensorBoard",
    "callbacks.tensorboard_v2": "keras.callbacks.TensorBoard",
    "device": _DEVICES,
    "distribution": _DEVICES,
    "dtype_policies": _DTYPES,
    "DTypePolicy": _DTYPES,
    "estimator": "model.fit, model.evaluate and model.predict",
    "export": "model.save(path), or model.to_json() and model.save_weights(path)",
    "initializations": "keras.initializers, or a name such as init='uniform'",
    "layers.CenterCrop": "Cropping2D, or slices: images[:, 4:-4, 4:-4]",
    "layers.FlaxLayer": "kgraph runs on NumPy: write the layer with keras.ops",
    "layers.HashedCrossing": _IDS,
    "layers.Hashing": _IDS,
    "layers.IntegerLookup": _IDS,
    "layers.JaxLayer": "kgraph runs on NumPy: write the layer with keras.ops",
    "layers.MelSpectrogram": "compute spectrograms before the model, with scipy.signal",
    "layers.Pipeline": "a Sequential model",
    "layers.RandomBrightness": _AUGMENT,
    "layers.RandomColorJitter": _AUGMENT,
    "layers.RandomContrast": _AUGMENT,
    "layers.RandomCrop": _AUGMENT,
    "layers.RandomFlip": _AUGMENT,
    "layers.RandomHeight": _AUGMENT,
    "layers.RandomRotation": _AUGMENT,
    "layers.RandomTranslation": _AUGMENT,
    "layers.RandomWidth": _AUGMENT,
    "layers.RandomZoom": _AUGMENT,
    "layers.Resizing": "UpSampling2D, or keras.preprocessing.image.smart_resize before the model",
    "layers.STFTSpectrogram": "compute spectrograms before the model, with scipy.signal",
    "layers.StringLookup": _IDS,
    "layers.TextVectorization": _WORDS,
    "layers.TFSMLayer": "load_model reads Keras's .keras and .h5 files",
    "layers.TorchModuleWrapper": "kgraph runs on NumPy: write the layer with keras.ops",
    "legacy.interfaces": "kgraph's layers take Keras 1's argument names by themselves",
    "mixed_precision": _DTYPES,
    "models.Graph": "the functional API: keras.models.Model(inputs, outputs)",
    "name_scope": "names of layers: the scopes of a graph are made of them",
    "optimizers.MultiOptimizer": _OPTIMIZERS,
    "optimizers.OptimizerMap": _OPTIMIZERS,
    "optimizers.TFOptimizer": "an optimizer of keras.optimizers",
    "premade": "a Sequential model of Dense layers",
    "quantizers": "kgraph computes in float16, float32 and float64",
    "random": "keras.backend.random_normal and its like; numpy.random for data",
    "remat": "kgraph recomputes by itself where memory is short",
    "saving.deserialize_keras_object": _BY_KIND,
    "saving.serialize_keras_object": _BY_KIND,
    "src": "the public path, such as keras.layers",
    "tree": "jax.tree or optree, or plain lists and dictionaries",
    "utils.FeatureSpace": "an Input for each feature, and keras.layers.concatenate",
    "utils.deserialize_keras_object": _BY_KIND,
    "utils.generic_utils.deserialize_keras_object": _BY_KIND,
    "utils.generic_utils.serialize_keras_object": _BY_KIND,
    "utils.serialize_keras_object": _BY_KIND,
    "utils.visualize_util": _DRAW,
    "version": "keras.__version__",
    "visualization": _DRAW,
}

TENSORFLOW: dict[str, str] = {
    "Graph": "the graph is model.graph",
    "GradientTape": _LOOPS,
    "Session": "call model.predict or keras.backend.function",
    "data": _DATA,
    "device": _DEVICES,
    "distribute": _DEVICES,
    "estimator": "model.fit, model.evaluate and model.predict",
    "function": _LOOPS,
    "global_variables_initializer": "variables have their values at once: leave it out",
    "gradients": "keras.backend.gradients",
    "image": _AUGMENT,
    "io": "plain Python files",
    "placeholder": "keras.layers.Input",
    "saved_model": "model.save(path) and keras.models.load_model(path)",
    "train": "keras.optimizers and keras.callbacks.ModelCheckpoint",
    "Variable": "keras.backend.variable, or Layer.add_weight",
}


def advice(path: str, table: dict[str, str]) -> str | None:
    """What to use instead of a path, or of the longest path above it that the table has.

    Example:
        >>> advice("applications.vgg16", ADVICE) == ADVICE["applications"]
        True
    """
    while path:
        if path in table:
            return table[path]
        path = path.rpartition(".")[0]
    return None
