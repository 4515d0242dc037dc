"""Seeds, and pytest explains the harness's asserts."""

import pytest

pytest.register_assert_rewrite("layer_harness")


@pytest.fixture(autouse=True)
def _seeded(request):
    import numpy as np

    np.random.seed(len(request.node.name))
