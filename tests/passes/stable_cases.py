"""The table of the stabilizing rewrites."""

from __future__ import annotations

import math

from rule_checks import BATCH, SMALL, Case

from kgraph import ops

ROWS = ((BATCH, 3), (2, 3), (2, BATCH, 3))
PAIRS = ((BATCH, 3),)


def last(x):
    """The last axis counted from the front."""
    return x.ndim - 1


def shifted(x):
    """What users write against overflow."""
    return x - ops.max(x, axis=-1, keepdims=True)


def row_loss(z, y):
    """The fused loss."""
    return ops.softmax_cross_entropy(z, y)[0]


def ids_of(x):
    """Valid class ids, one a row."""
    return ops.argmax(x, axis=-1)


LOGARITHMS = (
    Case("log-softmax", "f", lambda x: ops.log(ops.softmax(x, axis=0)),
         lambda x: ops.log_softmax(x, axis=0),
         (lambda x: ops.log(ops.softmax(x) + 1e-9), lambda x: ops.log2(ops.softmax(x)),
          lambda x: ops.log(ops.clip(ops.softmax(x), 1e-7, 1)), lambda x: ops.log(ops.sigmoid(x))),
         shapes=((3,), (2, 3), (2, BATCH))),
    Case("log-moved-softmax", "f", lambda x: ops.log(ops.transpose(ops.softmax(x))[1:]),
         lambda x: ops.transpose(ops.log_softmax(x))[1:],
         (lambda x: ops.log(ops.transpose(-ops.softmax(x))), lambda x: ops.log(ops.softmax(x)),
          lambda x: ops.log(ops.concatenate([ops.softmax(x)], 0))), shapes=PAIRS),
    Case("log-sigmoid", "f", lambda x: ops.log(ops.sigmoid(x)), lambda x: -ops.softplus(-x),
         (lambda x: ops.log(ops.sigmoid(x) + 1e-7), lambda x: ops.log(ops.tanh(x)))),
    Case("log-moved-sigmoid", "f", lambda x: ops.log(ops.take(ops.sigmoid(x), [1, 0], axis=1)),
         lambda x: ops.take(-ops.softplus(-x), [1, 0], axis=1),
         (lambda x: ops.log(ops.take(x, [1, 0], axis=1)),), shapes=PAIRS),
    Case("log-sum-exp", "f", lambda x: ops.log(ops.sum(ops.exp(x), axis=1, keepdims=True)),
         lambda x: ops.logsumexp(x, axis=1, keepdims=True),
         (lambda x: ops.log(ops.sum(ops.exp(x), axis=1) + 1e-9),
          lambda x: ops.log(ops.sum(ops.exp(x[:, :0]), axis=1)),
          lambda x: ops.log(ops.mean(ops.exp(x), axis=1))), shapes=((BATCH, 3), (2, 3, 4))),
    Case("log-moved-sum-exp", "f",
         lambda x: ops.log(ops.reshape(ops.sum(ops.exp(x), axis=1), (x.shape[0], 1))),
         lambda x: ops.reshape(ops.logsumexp(x, axis=1), (x.shape[0], 1)),
         (lambda x: ops.log(ops.expand_dims(ops.sum(ops.exp(x[:, :0]), axis=1), 1)),
          lambda x: ops.log(ops.expand_dims(ops.sum(x, axis=1), 1)),
          lambda x: ops.log(ops.expand_dims(-ops.sum(ops.exp(x), axis=1), 1))), shapes=PAIRS),
    Case("log-add-exp", "ff", lambda x, y: ops.log(ops.exp(y) + ops.exp(x)),
         lambda x, y: ops.logaddexp(y, x), (lambda x, y: ops.log(ops.exp(y) - ops.exp(x)),)),
    Case("log-one-plus", "f", lambda x: ops.log(x + 1), lambda x: ops.log1p(x),
         (lambda x: ops.log(2 + x), lambda x: ops.log2(1 + x))),
    Case("log-one-minus", "f", lambda x: ops.log(1 - x), lambda x: ops.log1p(-x),
         (lambda x: ops.log(x - 1),), smooth=False),
    Case("log1p-exp", "f", lambda x: ops.log1p(ops.exp(x)), lambda x: ops.softplus(x),
         (lambda x: ops.log1p(ops.exp(x) * 2),)),
    Case("log1p-minus-sigmoid", "f", lambda x: ops.log1p(-ops.sigmoid(x)),
         lambda x: -ops.softplus(x), (lambda x: ops.log1p(ops.sigmoid(x)),)),
    Case("logaddexp-zero", "f", lambda x: ops.logaddexp(0, x), lambda x: ops.softplus(x),
         (lambda x: ops.logaddexp(x, 1),)),
)  # fmt: skip

EXPONENTIALS = (
    Case("exp-minus-one", "f", lambda x: ops.exp(x) - 1, lambda x: ops.expm1(x),
         (lambda x: 1 - ops.exp(x), lambda x: ops.exp(x) - 2)),
    Case("exp-log-softmax", "f", lambda x: ops.exp(ops.log_softmax(x)), lambda x: ops.softmax(x),
         (lambda x: ops.exp(ops.log_softmax(x)) * ops.log_softmax(x),), shapes=ROWS),
    Case("sigmoid", "f", lambda x: 1 / (1 + ops.exp(-x)), lambda x: ops.sigmoid(x),
         (lambda x: 1 / (2 + ops.exp(-x)), lambda x: 2 / (1 + ops.exp(-x)))),
    Case("sigmoid-reciprocal", "f", lambda x: ops.reciprocal(ops.exp(-x) + 1),
         lambda x: ops.sigmoid(x), (lambda x: ops.reciprocal(ops.exp(x) + 1),)),
    Case("sigmoid-minus", "f", lambda x: 1 / (1 + ops.exp(x)), lambda x: ops.sigmoid(-x),
         (lambda x: 1 / (1 - ops.exp(x)),)),
    Case("sigmoid-ratio", "f", lambda x: ops.exp(x) / (1 + ops.exp(x)), lambda x: ops.sigmoid(x),
         (lambda x: ops.exp(x) / (1 + ops.exp(-x)),)),
    Case("softmax", "f", lambda x: ops.exp(x) / ops.sum(ops.exp(x), axis=-1, keepdims=True),
         lambda x: ops.softmax(x),
         (lambda x: ops.exp(x) / (ops.sum(ops.exp(x), axis=-1, keepdims=True) + 1e-9),
          lambda x: ops.exp(x) / ops.sum(ops.exp(-x), axis=-1, keepdims=True),
          lambda x: ops.exp(x) / ops.sum(ops.exp(x), keepdims=True) if x.ndim > 1 else x),
         shapes=ROWS),
    Case("softmax-expanded", "f",
         lambda x: ops.exp(x) / ops.expand_dims(ops.sum(ops.exp(x), axis=-1), -1),
         lambda x: ops.softmax(x),
         (lambda x: ops.exp(x) / ops.expand_dims(ops.sum(ops.exp(x), axis=-1), 0)
          if x.ndim == 1 else x,
          lambda x: ops.exp(x) / ops.expand_dims(ops.sum(ops.exp(x), axis=(0, 1)), (0, 1))
          if x.ndim == 2 else x), shapes=ROWS),
    Case("sub-logsumexp", "f", lambda x: x - ops.logsumexp(x, axis=-1, keepdims=True),
         lambda x: ops.log_softmax(x),
         (lambda x: x - ops.logsumexp(x, keepdims=True) if x.ndim > 1 else x,
          lambda x: x - ops.logsumexp(-x, axis=-1, keepdims=True),
          lambda x: ops.logsumexp(x, axis=-1, keepdims=True) - x), shapes=ROWS),
    Case("sub-logsumexp-expanded", "f",
         lambda x: x - ops.expand_dims(ops.logsumexp(x, axis=-1), -1),
         lambda x: ops.log_softmax(x),
         (lambda x: x - ops.logsumexp(x, axis=-1, keepdims=True),), shapes=ROWS),
)  # fmt: skip


def held(x):
    """The largest of each row, as a constant to the gradient."""
    return ops.stop_gradient(ops.max(x, axis=-1, keepdims=True))


def split_log(x):
    """log(1 - exp(x)) in two halves."""
    cut = -math.log(2)
    near = ops.log(-ops.expm1(ops.maximum(x, cut)))
    return ops.where(x > cut, near, ops.log1p(-ops.exp(ops.minimum(x, cut))))


def negated(x):
    """Numbers below zero."""
    return -ops.abs(x) - 1e-3


SPELLINGS = (
    Case("softmax-shifted", "f", lambda x: ops.softmax(x - held(x)), lambda x: ops.softmax(x),
         (lambda x: ops.softmax(shifted(x), axis=0), lambda x: ops.softmax(x - 1),
          lambda x: ops.softmax(x - ops.max(-x, axis=-1, keepdims=True)),
          lambda x: ops.softmax(held(x) - x)), shapes=ROWS),
    Case("log-softmax-shifted", "f", lambda x: ops.log_softmax(shifted(x)),
         lambda x: ops.log_softmax(x), (lambda x: ops.log_softmax(shifted(x), axis=0),),
         shapes=ROWS),
    Case("logsumexp-shifted", "f",
         lambda x: ops.squeeze(held(x), -1) + ops.logsumexp(x - held(x), axis=-1),
         lambda x: ops.logsumexp(x, axis=-1),
         (lambda x: ops.min(x, axis=-1) + ops.logsumexp(shifted(x), axis=-1),
          lambda x: ops.max(x, axis=-1) + ops.logsumexp(x - ops.max(x), axis=-1),
          # The derivatives of the two maxima would not cancel.
          lambda x: ops.max(x, axis=-1) + ops.logsumexp(x - held(x), axis=-1),
          lambda x: ops.max(x, axis=-1) - ops.logsumexp(shifted(x), axis=-1)), shapes=ROWS),
    Case("softmax-reshaped", "f",
         lambda x: ops.exp(x) / ops.reshape(ops.sum(ops.exp(x), axis=-1), (*x.shape[:-1], 1)),
         lambda x: ops.softmax(x),
         (lambda x: ops.exp(x) / ops.reshape(ops.sum(ops.exp(x)), (1,) * x.ndim),
          lambda x: ops.exp(x) / ops.expand_dims(ops.sum(ops.exp(-x), axis=-1), -1)), shapes=ROWS),
    Case("log-softmax-reshaped", "f",
         lambda x: x - ops.reshape(ops.logsumexp(x, axis=-1), (*x.shape[:-1], 1)),
         lambda x: ops.log_softmax(x),
         (lambda x: x - ops.reshape(ops.logsumexp(x), (1,) * x.ndim),), shapes=ROWS),
    Case("softmax-product", "f",
         lambda x: ops.exp(x) * ops.expand_dims(1 / ops.sum(ops.exp(x), axis=-1), -1),
         lambda x: ops.softmax(x),
         (lambda x: ops.exp(x) * ops.reciprocal(ops.sum(ops.exp(x), keepdims=True))
          if x.ndim > 1 else x,
          lambda x: 2 / ops.sum(ops.exp(x), axis=-1, keepdims=True) * ops.exp(x),
          lambda x: ops.reciprocal(ops.sum(ops.exp(x), axis=-1, keepdims=True)) * ops.exp(-x)),
         shapes=ROWS),
    Case("sigmoid-product", "f", lambda x: ops.sigmoid(-x) * ops.exp(x), lambda x: ops.sigmoid(x),
         (lambda x: ops.sigmoid(x) * ops.exp(x),)),
    Case("one-minus-exp", "f", lambda x: 1 - ops.exp(x), lambda x: -ops.expm1(x),
         (lambda x: 2 - ops.exp(x),)),
    Case("log-minus-expm1", "f", lambda x: ops.log(-ops.expm1(negated(x))),
         lambda x: split_log(negated(x)),
         (lambda x: split_log(x), lambda x: ops.log(ops.expm1(x)))),
    Case("log1p-minus-exp", "f", lambda x: ops.log1p(-ops.exp(negated(x))),
         lambda x: split_log(negated(x)),
         (lambda x: split_log(x), lambda x: ops.log1p(ops.exp(x)))),
    Case("one-minus-sigmoid", "f", lambda x: 1 - ops.sigmoid(x), lambda x: ops.sigmoid(-x),
         (lambda x: (1 - ops.sigmoid(x)) * ops.sigmoid(x), lambda x: 2 - ops.sigmoid(x))),
    Case("softplus-halves", "f",
         lambda x: ops.softplus(-ops.abs(x)) + ops.maximum(x, 0), lambda x: ops.softplus(x),
         (lambda x: ops.maximum(x, 0) + ops.softplus(ops.abs(x)),
          lambda x: ops.maximum(x, 1) + ops.softplus(-ops.abs(x)),
          lambda x: ops.maximum(x, 0) + ops.softplus(-ops.abs(x * 2)))),
    Case("softplus-relu", "f", lambda x: ops.relu(x) + ops.softplus(-ops.abs(x)),
         lambda x: ops.softplus(x), (lambda x: ops.relu(-x) + ops.softplus(-ops.abs(x)),)),
    Case("softplus-minus", "f", lambda x: ops.softplus(x) - x, lambda x: ops.softplus(-x),
         (lambda x: ops.softplus(x) + x,)),
    Case("minus-softplus", "f", lambda x: x - ops.softplus(x), lambda x: -ops.softplus(-x),
         (lambda x: x - ops.softplus(-x),)),
    Case("variance", "f",
         lambda x: ops.mean(ops.square(x), axis=-1) - ops.square(ops.mean(x, axis=-1)),
         lambda x: ops.mean(ops.square(x - ops.mean(x, axis=-1, keepdims=True)), axis=-1),
         (lambda x: ops.mean(ops.square(x), axis=-1) - ops.square(ops.mean(x)),
          lambda x: ops.mean(ops.square(x), axis=-1) + ops.square(ops.mean(x, axis=-1)),
          lambda x: ops.sum(ops.square(x), axis=-1) - ops.square(ops.mean(x, axis=-1))),
         shapes=ROWS),
    Case("mul-same", "f", lambda x: x * x, lambda x: ops.square(x), (lambda x: x * -x,)),
)  # fmt: skip


def _of_one(z):
    return -ops.softplus(-z)


def _of_zero(z):
    return -ops.softplus(z)


LOSSES = (
    Case("categorical-crossentropy", "ff",
         lambda z, y: ops.categorical_crossentropy(
             y, ops.squeeze(ops.transpose(ops.softmax(ops.transpose(z)[..., None], axis=0)), 0)),
         lambda z, y: row_loss(ops.squeeze(ops.transpose(ops.transpose(z)[..., None]), 0), y),
         (lambda z, y: ops.categorical_crossentropy(y, ops.softmax(z, axis=0)),
          lambda z, y: ops.categorical_crossentropy(y, ops.softmax(z), epsilon=1e-3),
          lambda z, y: ops.categorical_crossentropy(y, ops.sigmoid(z)),
          lambda z, y: ops.categorical_crossentropy(
              y, ops.reshape(ops.softmax(ops.transpose(z)), z.shape))),
         shapes=PAIRS, smooth=False, grid=SMALL),
    Case("sparse-categorical-crossentropy", "ff",
         lambda z, y: ops.sparse_categorical_crossentropy(ids_of(y), ops.softmax(z)),
         lambda z, y: ops.sparse_softmax_cross_entropy(z, ids_of(y))[0],
         (lambda z, y: ops.sparse_categorical_crossentropy(ids_of(y), ops.softmax(z, axis=0)),
          lambda z, y: ops.sparse_categorical_crossentropy(ids_of(y), ops.softmax(z), 1e-5)),
         shapes=PAIRS, grid=SMALL),
    Case("binary-crossentropy", "ff",
         lambda z, y: ops.binary_crossentropy(y, ops.squeeze(ops.sigmoid(z)[:, :1], 1)),
         lambda z, y: ops.sigmoid_cross_entropy(ops.squeeze(z[:, :1], 1), y),
         (lambda z, y: ops.binary_crossentropy(y, ops.sigmoid(z)[:, 0], epsilon=1e-3),
          lambda z, y: ops.binary_crossentropy(y, ops.softmax(z)[:, 0])),
         shapes=(((BATCH, 3), (BATCH,)),), grid=SMALL),
    Case("sum-log-softmax-negated", "ff",
         lambda z, y: ops.sum(-(y * ops.log_softmax(z)), axis=-1), row_loss,
         (lambda z, y: ops.sum(-(y * ops.log_softmax(z)), axis=0),
          lambda z, y: ops.sum(-(y * ops.log_softmax(z, axis=0)), axis=-1),
          lambda z, y: ops.sum(-(y[:, :1] * ops.log_softmax(z)), axis=-1)), shapes=PAIRS),
    Case("sum-negated-target", "ff", lambda z, y: ops.sum(-y * ops.log_softmax(z)),
         lambda z, y: ops.sum(row_loss(z, y), axis=0),
         (lambda z, y: ops.mean(-y * ops.log_softmax(z)),
          lambda z, y: ops.sum(-y * ops.log_softmax(z, axis=0))), shapes=PAIRS),
    Case("sum-negated-logs", "ff",
         lambda z, y: ops.sum(y * -ops.log_softmax(z), axis=-1, keepdims=True),
         lambda z, y: ops.reshape(row_loss(z, y), (z.shape[0], 1)),
         (lambda z, y: ops.sum(y * -ops.log(z), axis=-1),), shapes=PAIRS),
    Case("sum-log-softmax", "ff", lambda z, y: ops.sum(y * ops.log_softmax(z), axis=-1),
         lambda z, y: -row_loss(z, y), (lambda z, y: ops.sum(y + ops.log_softmax(z), axis=-1),),
         shapes=PAIRS),
    Case("log-sigmoids", "ff", lambda z, y: y * _of_one(z) + (1 - y) * _of_zero(z),
         lambda z, y: -ops.sigmoid_cross_entropy(z, y),
         (lambda z, y: y * _of_one(z) + (1 - y) * _of_one(z),
          lambda z, y: y * _of_one(z) + (2 - y) * _of_zero(z))),
    Case("log-sigmoids-negated-target", "ff",
         lambda z, y: -y * _of_one(z) - (1 - y) * _of_zero(z),
         lambda z, y: ops.sigmoid_cross_entropy(z, y),
         (lambda z, y: y * _of_one(z) - (1 - y) * _of_zero(z),)),
    Case("log-sigmoids-negated", "ff",
         lambda z, y: -(_of_one(z) * y) - (1 - y) * _of_zero(z),
         lambda z, y: ops.sigmoid_cross_entropy(z, y),
         (lambda z, y: -(_of_one(z) * y) + (1 - y) * _of_zero(z),)),
    Case("negative-negative", "f", lambda x: ops.negative(-x), lambda x: x, (lambda x: -x,)),
)  # fmt: skip

STABLE = (*LOGARITHMS, *EXPONENTIALS, *SPELLINGS, *LOSSES)
