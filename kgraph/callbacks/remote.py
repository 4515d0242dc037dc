"""RemoteMonitor: sends the logs of every epoch to a server."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback

_TIMEOUT = 10.0


class RemoteMonitor(Callback):
    """Posts `{"epoch": ..., name: value, ...}` after every epoch; a missing server is no error.

    Args:
        root: the server's address.
        path: where on it.
        field: name of the form's field that holds the JSON.
        headers: HTTP headers besides the content's type.
        send_as_json: whether the body is the JSON itself instead of a form.

    Example:
        >>> RemoteMonitor("http://localhost:9000").path
        '/publish/epoch/end/'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = dict(headers or {}), send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        kind = "json" if self.send_as_json else "x-www-form-urlencoded"
        headers = {"Content-Type": f"application/{kind}", **self.headers}
        request = urllib.request.Request(self.root + self.path, body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT):
                pass
        except (urllib.error.URLError, OSError) as error:
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {self.root}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
