"""What the default pipeline makes of the zoo, counted: any increase fails until it is written here.

A row holds ops and steps of a plan for 64 rows, those inside of fused ops counted one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from zoo import VOCABULARY, WIDTH, ZOO, Specimen, deep, inference_core, training_core

from kgraph.ir import Graph, Variable
from kgraph.runtime.executable import compile
from kgraph.runtime.memory_report import memory_report
from kgraph.runtime.plan import PlanData

BATCH = 64
OVER_CLASSES = frozenset(
    ["exp", "softmax", "log_softmax", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
     "logsumexp"]
)  # fmt: skip
PRODUCTS = frozenset(["matmul", "einsum"])


@dataclass(frozen=True)
class Counts:
    """Numbers of one plan.

    Args:
        ops: nodes that compute, those inside of fused ops one by one.
        steps: kernel calls of the plan.
        products: matrix products.
        transposes: transposes, also those that are views.
        exps: ops that take an exponential of every element along the classes.
        arena: bytes.
    """

    ops: int
    steps: int
    products: int
    transposes: int
    exps: int
    arena: int


# name -> (training, inference)
GOLDENS: dict[str, tuple[Counts, Counts]] = {
    "mlp_binary": (Counts(80, 53, 8, 4, 0, 75648), Counts(9, 9, 3, 0, 0, 32768)),
    "mlp_mnist": (Counts(80, 55, 8, 5, 1, 39168), Counts(9, 9, 3, 0, 1, 16384)),
    "mlp_mnist_adam": (Counts(94, 69, 8, 5, 1, 39168), Counts(9, 9, 3, 0, 1, 16384)),
    "mlp_mnist_sgd": (Counts(65, 53, 8, 5, 1, 28736), Counts(9, 9, 3, 0, 1, 16384)),
    "deep": (Counts(191, 162, 35, 23, 1, 103744), Counts(36, 36, 12, 0, 1, 16384)),
    "two_heads": (Counts(113, 79, 11, 5, 1, 18560), Counts(13, 11, 3, 0, 1, 8000)),
    "siamese": (Counts(77, 45, 10, 5, 0, 23232), Counts(16, 13, 4, 0, 0, 12288)),
    "autoencoder": (Counts(82, 62, 6, 3, 0, 23680), Counts(6, 6, 2, 0, 0, 6656)),
    "residual": (Counts(79, 63, 14, 9, 1, 27328), Counts(16, 16, 5, 0, 1, 12288)),
    "batch_norm": (Counts(122, 107, 8, 5, 1, 25344), Counts(26, 25, 5, 0, 1, 5440)),
    "experts": (Counts(123, 89, 12, 5, 1, 16640), Counts(19, 14, 3, 0, 1, 12480)),
    "lenet": (Counts(111, 81, 6, 4, 1, 404160), Counts(15, 14, 2, 0, 1, 238784)),
    "resnet": (Counts(321, 264, 3, 2, 1, 500992), Counts(65, 65, 1, 0, 1, 344320)),
    "resnet_first": (Counts(334, 264, 3, 3, 1, 500992), Counts(72, 65, 1, 1, 1, 344320)),
    "embedding_flat": (Counts(52, 37, 6, 3, 0, 40000), Counts(8, 7, 2, 0, 0, 16384)),
    "embedding_adam": (Counts(91, 66, 6, 3, 0, 63040), Counts(8, 7, 2, 0, 0, 16384)),
    "embedding_momentum": (Counts(62, 38, 6, 3, 0, 59200), Counts(8, 7, 2, 0, 0, 16384)),
    "embedding_mean": (Counts(34, 23, 3, 2, 1, 29696), Counts(5, 5, 1, 0, 1, 15360)),
    "attention": (Counts(153, 111, 24, 21, 2, 183872), Counts(40, 29, 9, 4, 2, 49152)),
}  # fmt: skip


def plan_of(graph: Graph, batch: int = BATCH) -> PlanData:
    """The plan of a graph after the default pipeline."""
    step = compile(graph)
    return step.bind(dict.fromkeys(step.graph.symbols, batch)).data


def op_names(graph: Graph) -> Iterator[str]:
    """Names of the ops that compute, those inside of fused ops included."""
    for node in graph.nodes:
        if node.op.name == "fused":
            yield from (name for name, *_ in node.attrs["program"])
        elif node.inputs and node.op.name != "item":
            yield node.op.name


def count(data: PlanData) -> Counts:
    """Counts a plan."""
    names = Counter(op_names(data.graph))
    return Counts(
        ops=names.total(),
        steps=len(data.steps),
        products=sum(names[n] for n in PRODUCTS),
        transposes=names["transpose"],
        exps=sum(names[n] for n in OVER_CLASSES),
        arena=data.arena_bytes,
    )


def training_plan(specimen: Specimen, batch: int = BATCH) -> PlanData:
    """The plan of a specimen's training step."""
    return plan_of(training_core(specimen.model(), *specimen.arrays(2)), batch)


@pytest.mark.parametrize("name", ZOO)
def test_counts(name):
    specimen = ZOO[name]
    plans = training_plan(specimen), plan_of(inference_core(specimen.model()))
    for kind, data, golden in zip(("training", "inference"), plans, GOLDENS[name], strict=True):
        found = count(data)
        worse = {
            field: (number, vars(golden)[field])
            for field, number in vars(found).items()
            if number > vars(golden)[field]
        }
        assert not worse, f"{kind} of {name} takes more than its golden: {worse}"


@pytest.mark.parametrize("name", ZOO)
def test_memory_is_near_the_least_possible(name):
    """An arena is at most 1.15 of what must live at once, and 0.6 of keeping everything.

    Where most of a step is one lookup there is hardly anything to keep, and nor is there where the
    patches of a tiny image, which nobody would keep, are its largest values.
    """
    report = memory_report(training_plan(ZOO[name], batch=256))
    assert report.planned <= 1.15 * report.lower_bound
    if not name.startswith(("embedding", "lenet")):
        assert report.planned <= 0.6 * report.keep_everything


@pytest.mark.parametrize("layers", [2, 3, 12])
def test_forward_products_are_computed_once(layers):
    """Dense layers take a forward product each, and two backward; the first one's input none."""
    model = deep(layers)
    data = plan_of(training_core(model, *ZOO["deep"].arrays(2)))
    assert count(data).products == 3 * layers - 1
    assert count(plan_of(inference_core(model))).products == layers


@pytest.mark.parametrize("name", ["mlp_mnist", "deep", "residual", "batch_norm", "embedding_mean"])
def test_cross_entropy_takes_one_exponential(name):
    """Loss, gradient and accuracy share the probabilities."""
    assert count(training_plan(ZOO[name])).exps == 1


@pytest.mark.parametrize("name", ["embedding_flat", "embedding_mean"])
def test_embedding_step_holds_no_table(name):
    """Under SGD only the looked-up rows are computed, and added to the table in place."""
    data = training_plan(ZOO[name], batch=8)
    table = VOCABULARY * WIDTH * 4
    assert all(b.size < table for b in data.buffers)
    written = [o for s in data.steps for o in s.outputs if tuple(o.shape) == (VOCABULARY, WIDTH)]
    assert all(isinstance(o.base, Variable) for o in written)


def test_attention_transposes_little():
    """Queries, keys, values and the result change their layout once each."""
    assert count(plan_of(inference_core(ZOO["attention"].model()))).transposes <= 4


def test_deep_models_grow_by_their_layers():
    """200 layers take 200 times what one takes, nothing more; the seconds are in `kgraph bench`."""
    sizes = {}
    for layers in (50, 100, 200):
        data = plan_of(training_core(deep(layers), *ZOO["deep"].arrays(2)))
        sizes[layers] = len(data.graph.nodes), len(data.steps)
        assert count(data).products == 3 * layers - 1
    for first, second, third in zip(*(sizes[k] for k in (50, 100, 200)), strict=True):
        assert third - second == 2 * (second - first)
        assert third <= 4.2 * first
