"""Lets pytest explain the asserts of the checks on rules, and shows the tests single ops."""

import pytest

from kgraph.passes import Fuse, using

pytest.register_assert_rewrite("loop_checks", "product_checks", "rule_checks")


@pytest.fixture(autouse=True, scope="module")
def _single_ops(request):
    """Leaves out the rules that join ops, unless the module says `FUSES = True`."""
    if getattr(request.module, "FUSES", False):
        yield
        return
    with using(*(f"-rule:{name}" for name in Fuse().rule_names)):
        yield
