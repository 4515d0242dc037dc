"""Callbacks that write: checkpoints, CSV files, posts to a server, event files, curves."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import numpy as np
import pytest

from kgraph.callbacks import CSVLogger, LambdaCallback, Logs, ModelCheckpoint, RemoteMonitor
from kgraph.layers import Dense
from kgraph.models import Sequential, load_model
from kgraph.optimizers import SGD

X, Y = np.arange(10.0).reshape(10, 1) / 10, np.zeros((10, 1))


def model(rate=0.1, metrics=("acc",)):
    found = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="ones")])
    found.compile(SGD(rate), "mse", list(metrics))
    return found


def fit(callbacks, trained=None, **options):
    trained = trained or model()
    settings = {"epochs": 3, "batch_size": 5, "verbose": 0, "validation_data": (X, Y), **options}
    trained.fit(X, Y, callbacks=callbacks, **settings)
    return trained


def weight(path):
    other = model()
    other.load_weights(str(path))
    return float(other.get_weights()[0][0, 0])


def test_checkpoints_of_every_epoch(tmp_path, capsys):
    name = tmp_path / "sub" / "w{epoch:02d}-{val_accuracy:.2f}.weights.h5"
    seen = []
    trained = model()
    trained.save_weights, write = (
        lambda p, overwrite: seen.append(p) or write(p, overwrite),
        trained.save_weights,
    )
    fit([ModelCheckpoint(name, save_weights_only=True, verbose=1, period=2)], trained, epochs=4)
    assert sorted(p.name[:3] for p in (tmp_path / "sub").iterdir()) == ["w02", "w04"]
    assert weight(seen[-1]) == float(trained.get_weights()[0][0, 0])
    assert f"Epoch 00002: saving model to {seen[0]}\n" in capsys.readouterr().out


def test_whole_models_are_files_that_load(tmp_path):
    trained, weights = model(), []
    each, best = tmp_path / "m{epoch}.h5", tmp_path / "best.h5"
    keep = LambdaCallback(on_epoch_end=lambda *_: weights.append(trained.get_weights()[0].item()))
    writers = [ModelCheckpoint(each), ModelCheckpoint(best, save_best_only=True)]
    fit([keep, *writers], trained, epochs=2)
    loaded = [load_model(tmp_path / f"{name}.h5") for name in ("m1", "m2", "best")]
    assert [m.get_weights()[0].item() for m in loaded] == [*weights, weights[-1]]
    assert [int(m.optimizer.iterations) for m in loaded] == [2, 4, 4]
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(FileExistsError):
        fit([ModelCheckpoint(tmp_path / "m1.h5" / "inside.h5")], trained)


def feed(callback, values, name="val_loss"):
    """What the callback does over made-up epochs: the epochs after which it wrote."""
    written, target = [], model()
    target.save_weights = lambda path, overwrite: written.append(epoch)
    callback.set_model(target)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, Logs({name: value}))
    return written


def test_only_the_best_is_kept(tmp_path, capsys):
    options = {"save_best_only": True, "save_weights_only": True}
    path = str(tmp_path / "x.h5")
    values = [0.5, 0.6, 0.4, 0.4, 0.3]
    assert feed(ModelCheckpoint(path, verbose=1, **options), values) == [0, 2, 4]
    text = capsys.readouterr().out
    assert f"\nEpoch 00001: val_loss improved from inf to 0.50000, saving model to {path}\n" in text
    assert "\nEpoch 00002: val_loss did not improve from 0.50000\n" in text
    assert feed(ModelCheckpoint(path, monitor="val_acc", **options), values, "val_accuracy") == [
        0,
        1,
    ]
    assert feed(ModelCheckpoint(path, mode="max", **options), values) == [0, 1]
    assert feed(ModelCheckpoint(path, initial_value_threshold=0.4, **options), values) == [4]
    with pytest.warns(RuntimeWarning, match="Can save best model only with metric `val_loss`"):
        assert feed(ModelCheckpoint(path, **options), [1.0], "loss") == []


def test_checkpoints_of_batches(tmp_path):
    path = tmp_path / "b{epoch}-{batch}.h5"
    fit([ModelCheckpoint(path, save_weights_only=True, save_freq=3)], batch_size=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "b1-3.h5",
        "b2-2.h5",
        "b3-1.h5",
        "b3-4.h5",
    ]
    with pytest.raises(ValueError, match="Unrecognized save_freq: often"):
        ModelCheckpoint(path, save_freq="often")
    with pytest.raises(KeyError, match="Failed to format this callback filepath"):
        fit([ModelCheckpoint(tmp_path / "{val_mae}.h5")])


def test_csv_files(tmp_path):
    path = tmp_path / "log.csv"
    trained = fit([CSVLogger(path)], epochs=2, validation_freq=2)
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,acc,loss,val_acc,val_loss"
    first = lines[1].split(",")
    assert first[0] == "0"
    assert first[3:] == ["NA", "NA"]
    assert float(lines[2].split(",")[2]) == trained.history.history["loss"][1]
    fit([CSVLogger(path, append=True)], epochs=1)
    assert len(path.read_text().splitlines()) == 4
    log = CSVLogger(tmp_path / "other.tsv", separator="\t")
    log.on_train_begin()
    log.on_epoch_end(0, {"scores": np.array([0.5, 1.0]), "loss": 1.0})
    log.on_train_end()
    assert (tmp_path / "other.tsv").read_text().splitlines() == [
        "epoch\tloss\tscores",
        "0\t1.0\t[0.5, 1.0]",
    ]


class Inbox(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posts.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format, *args):
        """Says nothing."""


@pytest.fixture
def inbox():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        server.posts = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_posts_to_a_server(inbox):
    root = f"http://127.0.0.1:{inbox.server_port}"
    monitors = [
        RemoteMonitor(root, headers={"X-Run": "7"}),
        RemoteMonitor(root, path="/json", send_as_json=True),
    ]
    trained = fit(monitors, epochs=2)
    assert [post[0] for post in inbox.posts] == ["/publish/epoch/end/", "/json"] * 2
    (_, headers, form), (_, kinds, text) = inbox.posts[2:]
    values = json.loads(urllib.parse.parse_qs(form)["data"][0])
    assert values == json.loads(text)
    assert values["epoch"] == 1
    assert values["val_loss"] == trained.history.history["val_loss"][1]
    assert headers["X-Run"] == "7"
    assert kinds["Content-Type"] == "application/json"


def test_a_server_that_is_away_is_no_error():
    away = RemoteMonitor("http://127.0.0.1:9")
    with pytest.warns(RuntimeWarning, match="Could not reach RemoteMonitor root server at"):
        fit([away], epochs=1)
