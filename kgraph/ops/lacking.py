"""Names of Keras's `ops` that kgraph does not have, why not, and what to use: data of the error."""

from __future__ import annotations

from collections.abc import Iterable

from kgraph.errors import did_you_mean, explain

_COMPLEX = "there are no complex numbers"
_SINGULAR = "values and vectors of a matrix have no op"
_VALUES = "the shape of the result would depend on values"

# Name -> (why it is not there, what to use).
LACKING: dict[str, tuple[str, str]] = {
    "bincount": (_VALUES, "segment_sum(ones_like(x), x, num_segments), or sum(one_hot(x, n), 0)"),
    "nonzero": (_VALUES, "where(condition, x, 0), or multiply by cast(condition, dtype)"),
    "unique": (_VALUES, "numpy.unique on the data, or sort and equal to the neighbour"),
    "fft": (_COMPLEX, "numpy.fft on the data, or a product with cosines and sines"),
    "fft2": (_COMPLEX, "numpy.fft on the data"),
    "ifft2": (_COMPLEX, "numpy.fft on the data"),
    "rfft": (_COMPLEX, "numpy.fft on the data, or a product with cosines and sines"),
    "irfft": (_COMPLEX, "numpy.fft on the data"),
    "stft": (_COMPLEX, "extract_sequences and a product with cosines and sines"),
    "istft": (_COMPLEX, "numpy.fft on the data"),
    "polar": (_COMPLEX, "multiply by cos and sin of the angle"),
    "view_as_complex": (_COMPLEX, "a last axis of real and imaginary parts"),
    "view_as_real": (_COMPLEX, "a last axis of real and imaginary parts"),
    "view": ("an array's bytes are no value of a graph", "cast, or numpy.ndarray.view on the data"),
    "vectorize": ("functions of Python numbers cannot be traced", "vectorized_map, or plain ops"),
    "custom_gradient": (
        "a gradient belongs to an op",
        "a subclass of kgraph.ir.op.Op with vjp, or stop_gradient(f(x) - g(x)) + g(x)",
    ),
    "jvp": ("gradients are reverse-mode only", "kgraph.grad, or differences of the function"),
    "rearrange": ("patterns in words are not read", "reshape, transpose and einsum"),
    "ctc_decode": ("it searches step by step over beams that grow", "argmax over the classes"),
    "eig": (_SINGULAR, "numpy.linalg on the data"),
    "eigh": (_SINGULAR, "numpy.linalg on the data"),
    "lstsq": (_SINGULAR, "numpy.linalg on the data, or a Dense layer that is trained"),
    "lu_factor": (_SINGULAR, "scipy.linalg on the data"),
    "matrix_rank": (_SINGULAR, "numpy.linalg on the data"),
    "pinv": (_SINGULAR, "numpy.linalg on the data"),
    "qr": (_SINGULAR, "numpy.linalg on the data"),
    "svd": (_SINGULAR, "numpy.linalg on the data"),
    "image": ("functions have no namespaces of their own", "kgraph.ops.resize"),
    "numpy": ("functions have no namespaces of their own", "kgraph.ops.<name>"),
}


def refusal(name: str, known: Iterable[str] = ()) -> AttributeError:
    """The error for a name that `kgraph.ops` does not have.

    Args:
        name: what was asked for.
        known: what `kgraph.ops` has.

    Example:
        >>> print(refusal("nonzero"))
        kgraph.ops has no 'nonzero': the shape of the result would depend on values
          hint: where(condition, x, 0), or multiply by cast(condition, dtype)
    """
    if name not in LACKING:
        summary = f"module 'kgraph.ops' has no attribute {name!r}"
        # Pytest and doctest ask every module for names of their own: nobody mistyped those.
        hint = None if name.startswith("_") else did_you_mean(name, known)
        return AttributeError(explain(summary, hint=hint))
    why, instead = LACKING[name]
    return AttributeError(explain(f"kgraph.ops has no {name!r}: {why}", hint=instead))
