"""Lets pytest explain the asserts of the checks on rules."""

import pytest

pytest.register_assert_rewrite("product_checks", "rule_checks")
