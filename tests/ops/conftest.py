"""Lets pytest explain the harness's asserts."""

import pytest

pytest.register_assert_rewrite("harness")
