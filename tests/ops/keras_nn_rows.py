"""Calls of the nn part of `kgraph.ops` by Keras's names, and of the parts that index and loop."""

import numpy as np
from keras_rows import IDS, INTS, MORE, PROBABILITY, SQUARE, TALL, X, Y, Z, floats, words

IMAGES, VOLUME, SEQUENCE = floats(3, 6, 5, 4), floats(2, 4, 5, 4, 2), floats(3, 7, 4)
FIRST = np.moveaxis(IMAGES, -1, 1).copy()
KERNEL, BY_CHANNEL = floats(2, 3, 4, 5), floats(2, 3, 4, 2)
POINTWISE, BACK = floats(1, 1, 8, 3), floats(2, 3, 5, 4)
HEADS = [floats(3, 4, 2, 6), floats(3, 5, 2, 6), floats(3, 5, 2, 6)]
MASK = np.random.default_rng(5).random((3, 1, 4, 5)) < 0.8
MASK[..., 0] = True
PAIRS = np.array([1, 0, 1], "int32")
ROWS_OF = np.array([0, 2, 0], "int32")
SQUARES = {"strides": 2, "padding": "same"}

ACTIVATIONS = {
    **{name: [(X,), (3 * X,)] for name in words(
        "relu relu6 sigmoid tanh softplus softsign silu swish elu selu gelu celu glu "
        "leaky_relu hard_sigmoid hard_silu hard_swish hard_tanh log_sigmoid softmax log_softmax "
        "sparse_plus sparse_sigmoid squareplus soft_shrink hard_shrink tanh_shrink"
    ) if name not in ("sigmoid", "tanh")},
    "threshold": [(X, 0.3, -1.0)],
}  # fmt: skip
NORMALIZATIONS = {
    "batch_normalization": [
        (X, floats(4), floats(4, low=0.5), -1),
        (X, floats(4), floats(4, low=0.5), 1, floats(4), floats(4), 0.01),
    ],
    "layer_normalization": [(X,), (Z, floats(5), floats(5), -1, 0.01), (Z, None, None, (1, 2))],
    "rms_normalization": [(X,), (X, floats(4), -1, 0.01)],
    "normalize": [(X,), (X, 0), (X, -1, 1), (X, -1, 3)],
    "norm": [(X,), (X, 2, 1), (X, 1, 1), (X, np.inf, 1), (X, -np.inf, 1, True), (X, 3, 1)]
    + [(Z, order, (1, 2)) for order in ("fro", 1, -1, np.inf, -np.inf)]
    + [(Z, 1, (2, 1), True)],
    "psnr": [(X, Y, 2.0)],
    "cdist": [(X, floats(2, 4)), (Z, floats(3, 2, 5))],
}
WINDOWS = {
    "conv": [
        (IMAGES, KERNEL), (IMAGES, KERNEL, 2, "same"), (SEQUENCE, floats(2, 4, 5)),
        (FIRST, KERNEL, 1, "valid", "channels_first", (2, 1)),
    ],
    "depthwise_conv": [(IMAGES, BY_CHANNEL), (IMAGES, BY_CHANNEL, SQUARES)],
    "separable_conv": [(IMAGES, BY_CHANNEL, POINTWISE), (IMAGES, BY_CHANNEL, POINTWISE, SQUARES)],
    "conv_transpose": [
        (IMAGES, BACK), (IMAGES, BACK, SQUARES), (SEQUENCE, floats(2, 5, 4), 2, "valid", 1),
        (FIRST, BACK, 2, "same", None, "channels_first"),
    ],
    **{name: [
        (IMAGES, (2, 2), 2), (IMAGES, (2, 3), 1, "same"), (VOLUME, (2, 2, 2), 2),
        (FIRST, (2, 2), (2, 2), "valid", "channels_first"),
    ] for name in ("max_pool", "average_pool")},
    **{name: [(IMAGES, 2), (IMAGES, (3, 5)), (FIRST, (4, 2), "channels_first")]
       for name in ("adaptive_max_pool", "adaptive_average_pool")},
    "depth_to_space": [(IMAGES, 2), (FIRST, 2, "channels_first")],
    "space_to_depth": [(floats(3, 4, 6, 2), 2), (floats(3, 2, 4, 6), 2, "channels_first")],
    "unfold": [(FIRST, 2), (FIRST, (3, 2), 1, 1, 2), (FIRST, 2, 2)],
    "fold": [(floats(3, 8, 12), (4, 5), 2), (floats(3, 8, 12), (6, 8), 2, 1, 0, 2)],
    "dot_product_attention": [
        tuple(HEADS), (*HEADS, floats(3, 2, 4, 5)), (*HEADS, None, MASK, 0.3),
        (*HEADS, {"is_causal": True}),
    ],
}  # fmt: skip
LOSSES = {
    "binary_crossentropy": [(PROBABILITY, PROBABILITY), (PROBABILITY, X, True)],
    "categorical_crossentropy": [
        (PROBABILITY, PROBABILITY), (PROBABILITY, X, True), (PROBABILITY, PROBABILITY, False, 0),
    ],
    "sparse_categorical_crossentropy": [(ROWS_OF, PROBABILITY), (ROWS_OF, X, True)],
}  # fmt: skip
INDEXED = {
    "one_hot": [(MORE, 6), (MORE, 6, 1), (MORE, 6, -1, "int32")],
    "multi_hot": [(MORE, 6), (IDS, 4)],
    "in_top_k": [(IDS, X, 2)],
    "extract_sequences": [(X, 2, 1), (SEQUENCE, 3, 2)],
    "slice": [(Z, (0, 1, 2), (2, 2, 3)), (Z, np.array([1, 2, 0], "int32"), (2, 2, 3))],
    "slice_update": [
        (Z, (0, 1, 2), floats(3, 2, 3)), (Z, np.array([0, 2, 1], "int32"), floats(1, 2, 3)),
    ],
    "scatter": [(MORE[:, :1] % 3, X, (5, 4)), (MORE[:, :2] % 3, floats(3), (3, 4))],
    "scatter_update": [(SQUARE, np.array([[0, 1], [2, 3]], "int32"), floats(2, 4))] + [
        (TALL, np.array([[0], [2], [2]], "int32"), floats(3, 2), how)
        for how in ("add", "max", "min", "mul")
    ],
    **{name: [(X, PAIRS, 2), (INTS, ROWS_OF, 3)] for name in words(
        "segment_sum segment_max segment_min segment_prod"
    )},
}  # fmt: skip
NEAR = (floats(3, 4, 4, low=-0.3, high=0.3) + 2 * np.eye(4)).astype("float32")
POSITIVE = NEAR @ np.swapaxes(NEAR, -1, -2)
TRIANGLE = np.tril(NEAR[0])
MATRICES = {
    **{name: [(NEAR,), (NEAR[0],)] for name in ("inv", "det", "slogdet")},
    **{name: [(POSITIVE,)] for name in ("cholesky", "logdet")},
    "cholesky_inverse": [(TRIANGLE,), (TRIANGLE.T.copy(), True)],
    "solve": [(NEAR, floats(3, 4, 2)), (NEAR[0], floats(4))],
    "solve_triangular": [(NEAR, floats(3, 4, 2)), (NEAR, floats(3, 4, 2), True)],
    "ctc_loss": [
        (
            np.array([[1, 2, 2], [3, 1, 0], [2, 0, 0]], "int32"), floats(3, 7, 5),
            np.array([3, 2, 1], "int32"), np.array([7, 6, 4], "int32"),
        ),
    ],
}  # fmt: skip
ROWS = {**MATRICES, **ACTIVATIONS, **NORMALIZATIONS, **WINDOWS, **LOSSES, **INDEXED}
