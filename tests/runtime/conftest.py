"""Where compiled kernels are kept while these tests run."""

import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return str(tmp_path_factory.mktemp("home"))
