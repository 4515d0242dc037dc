"""Docstrings tell the truth about arguments, and what users call has an example."""

import ast
import importlib
import inspect
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted(
    p for top in ("kgraph", "passes", "runtime", "tools") for p in (ROOT / top).rglob("*.py")
)
# What users call every day; each name has arguments and an example.
EVERY_DAY = {
    "kgraph.models:Model": (
        "compile fit evaluate predict predict_classes predict_on_batch predict_proba "
        "train_on_batch test_on_batch executable summary get_layer get_weights set_weights "
        "save_weights load_weights to_json"
    ),
    "kgraph.models:Sequential": "add pop",
    "kgraph.layers:Layer": (
        "add_weight add_loss add_metric add_update get_weights set_weights count_params "
        "get_input_at get_output_at get_input_shape_at get_output_shape_at compute_output_shape"
    ),
}


def documented_arguments(doc):
    """Names in the Args section of a docstring."""
    section = re.search(r"^Args:\n((?:    .*\n|\n)+)", doc + "\n", re.MULTILINE)
    lines = section.group(1).splitlines() if section else []
    heads = [line.split(":")[0] for line in lines if re.match(r"    [*\w]", line)]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_described_arguments_exist(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef) or not ast.get_docstring(node):
            continue
        a = node.args
        names = {x.arg for x in [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg] if x}
        unknown = documented_arguments(ast.get_docstring(node)) - names
        assert not unknown, f"{node.name} has no argument {unknown}"


@pytest.mark.parametrize("owner", EVERY_DAY)
def test_what_users_call_has_an_example(owner):
    module, name = owner.split(":")
    for method in EVERY_DAY[owner].split():
        doc = inspect.getdoc(getattr(getattr(importlib.import_module(module), name), method))
        assert ">>> " in doc, f"{name}.{method} has no example"


FACES = (
    "layers", "models", "losses", "metrics", "activations", "initializers", "utils", "saving",
    "testing", "preprocessing", "preprocessing.image",
)  # fmt: skip


@pytest.mark.parametrize("face", FACES)
def test_public_functions_have_an_example(face):
    module = importlib.import_module(f"kgraph.{face}")
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isfunction(value):
            assert ">>> " in (value.__doc__ or ""), f"{face}.{name} has no example"
