"""Keras 2's wrappers: arguments, labels, scores, and scikit-learn's tools around them."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import Adam
from kgraph.wrappers.scikit_learn import KerasClassifier, KerasRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
LABELS = np.array(["b", "c", "a"])[X.argmax(1)]
TARGETS = X @ np.array([1.0, -2.0, 0.5], "float32")


def classifier(width=8, outputs=3, loss="categorical_crossentropy", metrics=("accuracy",)):
    np.random.seed(0)
    last = "softmax" if outputs > 1 else "sigmoid"
    model = Sequential([Dense(width, "tanh", input_dim=3), Dense(outputs, last)])
    model.compile(Adam(0.03), loss, metrics=list(metrics))
    return model


def regressor(width=8, widths=(), metrics=()):
    model = Sequential([Dense(w, "tanh") for w in (width, *widths)] + [Dense(1)])
    model.build((None, 3))
    model.compile("adam", "mse", metrics=list(metrics))
    return model


def quick(**arguments):
    return KerasClassifier(classifier, epochs=30, batch_size=8, verbose=0, **arguments)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_labels_of_any_kind(loss):
    estimator = quick(loss=loss)
    history = estimator.fit(X, LABELS)
    assert len(history.epoch) == 30
    assert estimator.classes_.tolist() == ["a", "b", "c"]
    assert estimator.n_classes_ == 3
    probabilities = estimator.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    found = estimator.predict(X)
    assert found.tolist() == estimator.classes_[probabilities.argmax(1)].tolist()
    assert estimator.score(X, LABELS) == pytest.approx(np.mean(found == LABELS), abs=1e-6)
    assert estimator.score(X, LABELS) > 0.7


def test_one_output_stands_for_two_classes():
    y = np.where(X[:, :1] > 0, 7, 3)  # a column of labels
    estimator = quick(outputs=1, loss="binary_crossentropy")
    estimator.fit(X, y, epochs=60)
    assert estimator.predict(X).shape == (60,)
    assert set(estimator.predict(X)) <= {3, 7}
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert ((probabilities[:, 1] > 0.5) == (estimator.predict(X) == 7)).all()


def test_rows_of_zeros_and_ones():
    estimator = quick()
    estimator.fit(X, np.eye(3)[X.argmax(1)])
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert set(estimator.predict(X)) <= {0, 1, 2}


def test_what_cannot_be():
    with pytest.raises(ValueError, match="depth is not a legal parameter"):
        KerasClassifier(classifier, depth=2)
    with pytest.raises(ValueError, match="depth is not a legal parameter"):
        quick().set_params(depth=2)
    with pytest.raises(ValueError, match="nothing that builds a model"):
        KerasClassifier()
    with pytest.raises(ValueError, match=r"Invalid shape for y: \(60, 1, 1\)"):
        quick().fit(X, np.zeros((60, 1, 1)))
    estimator = quick(metrics=())
    estimator.fit(X, LABELS, epochs=1)
    with pytest.raises(ValueError, match="not configured to compute accuracy"):
        estimator.score(X, LABELS)


def test_regression_scores_are_minus_the_loss():
    estimator = KerasRegressor(regressor, epochs=3, verbose=0, metrics=("mae",))
    estimator.fit(X, TARGETS)
    found = estimator.predict(X, batch_size=7)
    assert found.shape == (60,)
    expected = -np.mean((found - TARGETS) ** 2)
    assert estimator.score(X, TARGETS) == pytest.approx(expected, rel=1e-4)
    assert KerasRegressor(regressor, epochs=1, verbose=0).fit(X, TARGETS).epoch == [0]


def test_builders_of_other_kinds():
    class Builder:
        def __call__(self, width=2):
            return regressor(width)

        def method(self, width=2):
            return regressor(width)

    class Own(KerasRegressor):
        def __call__(self, width=2):
            return regressor(width)

    made = [KerasRegressor(f, width=5) for f in (Builder(), Builder().method)] + [Own(width=5)]
    for estimator in made:
        estimator.fit(X, TARGETS, epochs=1, verbose=0)
        assert estimator.model.layers[0].units == 5


def test_arguments_go_where_they_belong():
    estimator = quick(width=4)
    assert estimator.filter_sk_params(classifier) == {"width": 4}
    assert estimator.filter_sk_params(Sequential.fit) == {
        "epochs": 30, "batch_size": 8, "verbose": 0,
    }  # fmt: skip
    assert estimator.filter_sk_params(Sequential.predict, {"batch_size": 2})["batch_size"] == 2
    assert estimator.set_params(width=6) is estimator
    assert estimator.get_params()["width"] == 6
    assert estimator.get_params()["build_fn"] is classifier


@pytest.mark.parametrize(
    ("build_fn", "message"),
    [
        (3, "(?s)build_fn is called to make a model.*got: 3"),
        (Sequential(), "(?s)build_fn is called to make a model.*take models"),
        (lambda: None, "(?s)build_fn returned no model.*return model"),
    ],
)
def test_what_builds_no_model_is_refused(build_fn, message):
    with pytest.raises(ValueError, match=message):
        KerasRegressor(build_fn, verbose=0).fit(X, TARGETS)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_before_fit_there_is_no_model(method):
    arguments = (X, LABELS) if method == "score" else (X,)
    with pytest.raises(AttributeError, match=r"no model yet\n  hint: call `fit` first"):
        getattr(KerasClassifier(classifier), method)(*arguments)


def test_scikit_learn_clones_searches_and_validates():
    estimator = KerasRegressor(regressor, widths=[3], epochs=2, verbose=0)
    again = clone(estimator)
    assert again is not estimator
    assert again.get_params() == estimator.get_params()
    assert is_classifier(quick())
    assert is_regressor(estimator)
    assert cross_val_score(estimator, X, TARGETS, cv=2).shape == (2,)
    search = GridSearchCV(quick(), {"width": [2, 4], "epochs": [1, 15]}, cv=2)
    search.fit(X, LABELS)
    assert search.best_params_["epochs"] == 15
    assert set(search.predict(X)) <= {"a", "b", "c"}
    pipeline = make_pipeline(StandardScaler(), estimator)
    assert pipeline.fit(X, TARGETS).predict(X).shape == (60,)


def test_they_need_no_scikit_learn():
    code = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import Adam
from kgraph.wrappers import KerasRegressor
import kgraph.wrappers
def build(units=1):
    model = Sequential([Dense(units, input_dim=2)])
    model.compile("sgd", "mse")
    return model
estimator = KerasRegressor(build, epochs=1, verbose=0)
estimator.fit(np.ones((4, 2)), np.ones(4))
print(estimator.predict(np.ones((3, 2))).shape)
try:
    kgraph.wrappers.SKLearnRegressor
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(3,)\n")
    assert "pip install 'kgraph[sklearn]'" in done.stdout
