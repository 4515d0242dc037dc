"""Several threads may train, measure and predict with one model: every step counts."""

import threading

import numpy as np

from kgraph.layers import Dense, Embedding, Flatten
from kgraph.models import Sequential

ROWS = 64


def model_and_data():
    """A model whose first op indexes by what it is fed: ids that change under it would crash."""
    rng = np.random.default_rng(0)
    model = Sequential([Embedding(10, 4, input_length=3), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    return model, rng.integers(0, 10, (ROWS, 3)), rng.random((ROWS, 1))


def run_all(*works):
    """Runs functions at the same time; raises what one of them raised."""
    errors = []

    def guarded(work):
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_every_step_of_every_thread_counts():
    model, x, y = model_and_data()

    def steps():
        for size in (16, 32, 16, 7) * 10:
            model.train_on_batch(x[:size], y[:size])

    def epochs():
        model.fit(x, y, batch_size=32, epochs=10, verbose=0)

    def reads():
        for _ in range(20):
            assert np.isfinite(model.predict(x)).all()
            assert np.isfinite(model.evaluate(x, y, verbose=0))

    run_all(steps, steps, epochs, reads)
    assert int(model.optimizer.iterations.numpy()) == 40 + 40 + 20


def test_threads_that_predict_get_their_own_rows():
    model, x, _ = model_and_data()
    expected = model.predict(x)

    def check(shift):
        for size in range(1, 30):
            rows = slice(shift, shift + size)
            np.testing.assert_allclose(model.predict(x[rows]), expected[rows], rtol=1e-5)

    run_all(*[lambda s=shift: check(s) for shift in range(4)])
