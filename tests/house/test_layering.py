"""Imports follow the table of layers: API -> IR -> passes -> runtime, and never back."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Module prefix -> layer; the longest prefix wins. A module may import its own layer and lower ones.
LAYERS = {
    "kgraph.errors": 0,
    "kgraph.config": 0,
    "kgraph.ir": 0,
    "kgraph.ops": 1,
    "kgraph.passes": 2,
    "kgraph.runtime.autodiff": 2,  # graph to graph, as the passes are
    "kgraph.runtime.loop_gradients": 2,  # autodiff's part for scan
    "kgraph.runtime.loop_sums": 2,  # the same: weight gradients that leave a loop
    "kgraph.runtime.schedule": 2,  # so that passes can estimate memory in the runtime's order
    "kgraph.runtime": 3,
    "kgraph.tools.viz": 3.5,  # draws what it is given: graphs and plans, never models
    "kgraph.layers": 4,
    "kgraph.activations": 4,
    "kgraph.losses": 4,
    "kgraph.optimizers": 4,
    "kgraph.metrics": 4,
    "kgraph.initializers": 4,
    "kgraph.regularizers": 4,
    "kgraph.constraints": 4,
    "kgraph.models": 5,
    "kgraph.training": 5,
    "kgraph.callbacks": 5,
    "kgraph.saving": 5,
    "kgraph.backend": 5,
    "kgraph.testing": 5,
    "kgraph.wrappers": 5,
    "kgraph.preprocessing": 0.5,
    "kgraph.datasets": 0.5,
    "kgraph.utils": 0.5,
    "kgraph.utils.conv_utils": 4,  # Keras 2's path to the lengths that layers and ops compute
    "kgraph.utils.layer_utils": 5,  # counts and copies the weights of models
    "kgraph.utils.vis_utils": 6,  # Keras 2's path to the pictures of models
    "kgraph.compat": 6,  # names everything, in strings that are imported when they are used
    "kgraph.tools": 6,
    "kgraph.__main__": 6,  # the command line
}
# Layer 4 builds symbols only, so the passes and the runtime are closed to it.
BUILDERS_MAY = (0, 0.5, 1, 4)
# What is called on arrays runs at once, which needs the pass that inlines layers and the runtime; a
# gradient is a call that differentiates when it is lowered.
MEETS_THE_RUNTIME = (
    "kgraph.layers.eager",
    "kgraph.layers.gradient_call",
    "kgraph.optimizers.eager",
)
LAZY_FACES = ("kgraph", "kgraph.utils")


def modules():
    """(dotted name, path) of every source file."""
    for top in ("kgraph", "passes", "runtime", "tools"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            yield ".".join(parts if top == "kgraph" else ["kgraph", *parts]), path


def layer_of(module):
    """The layer of a module, by its longest prefix in the table."""
    fitting = [p for p in LAYERS if module == p or module.startswith(p + ".")]
    assert fitting, f"{module} is in no layer: add it to the table"
    return LAYERS[max(fitting, key=len)]


def imports(path, module):
    """Dotted names that a file imports, relative ones resolved."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            root = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{root}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda v: str(v))
def test_imports_follow_the_table(module, path):
    if module in LAZY_FACES:
        return
    mine = layer_of(module)
    for name in imports(path, module):
        if not name.startswith("kgraph."):
            continue
        if name in {f"kgraph.{n}" for n in ("config", "errors", "ops")}:
            name += ".x"
        theirs = layer_of(name)
        assert theirs <= mine, f"{module} (layer {mine}) imports {name} (layer {theirs})"
        if mine == 4 and module not in MEETS_THE_RUNTIME:
            assert theirs in BUILDERS_MAY, f"{module} builds symbols; it may not import {name}"


def test_the_table_catches_a_wrong_arrow():
    assert layer_of("kgraph.runtime.autodiff") < layer_of("kgraph.runtime.emit")
    assert layer_of("kgraph.ir.node") < layer_of("kgraph.passes.simplify")


def test_only_config_reads_the_environment():
    readers = [m for m, path in modules() if "environ" in path.read_text()]
    bench = "kgraph.tools.bench"
    assert readers == ["kgraph.config", f"{bench}.peers.__main__", f"{bench}.timed"]


def test_every_package_is_listed_for_installation():
    text = (ROOT / "pyproject.toml").read_text()
    for module, path in modules():
        if path.name == "__init__.py":
            assert f'"{module}"' in text, f"{module} is missing from pyproject.toml"
