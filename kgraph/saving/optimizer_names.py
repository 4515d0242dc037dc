"""What the arrays of an optimizer are called in files: Keras 2.3's names, and all others'."""

from __future__ import annotations

# Slots under the names that Keras 2.3 gives them, where these differ.
_KERAS_2 = {"SGD": {"momentum": "moment"}, "Adadelta": {"delta": "delta_accumulator"}}
_ADAM = {"momentum": "m", "velocity": "v", "velocity_hat": "vhat", "vhat": "vhat"}
# Names of slots in files of all Kerases -> ours; those that an optimizer has are known anyway.
_OURS = {
    "SGD": {"m": "momentum", "momentum": "momentum"},
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Lamb": _ADAM,
    "Nadam": _ADAM,
    "Adamax": {"momentum": "m", "norm": "u", "v": "u"},
    "Adadelta": {"accumulated_grad": "accumulator", "accum_grad": "accumulator",
                 "accumulated_delta_var": "delta", "accum_var": "delta"},
    "Lion": {"m": "momentum"},
    "RMSprop": {"rms": "accumulator", "velocity": "accumulator", "mg": "mean",
                "average_gradient": "mean", "mean": "mean", "momentum": "momentum"},
}  # fmt: skip
# What optimizers of every class may keep for a weight.
_KEPT = {
    "average": "average",
    "gradient_sum": "gradient_sum",
    "gradient_accumulator": "gradient_sum",
}
_COUNTERS = ("iterations", "iteration", "iter")
_RATES = ("learning_rate", "lr")
_STATES = {"u_product": "m_schedule", "_u_product": "m_schedule", "momentum_cache": "m_schedule"}


def name_of(kind: str, slot: str, index: int) -> str:
    """Keras 2.3's name of a weight's slot.

    Args:
        kind: the optimizer's class.
        slot: our name of the slot.
        index: number of the weight.

    Example:
        >>> name_of("SGD", "momentum", 0)
        'training/SGD/moment_0:0'
    """
    return f"training/{kind}/{_KERAS_2.get(kind, {}).get(slot, slot)}_{index}:0"


def scalar_of(name: str) -> str:
    """Our name of a number that all weights share: `iterations`, `learning_rate`, or as it is.

    Args:
        name: path in a file, without ":0".

    Example:
        >>> scalar_of("adam/iteration"), scalar_of("Nadam/m_schedule")
        ('iterations', 'm_schedule')
    """
    last = name.rpartition("/")[2]
    if last in _COUNTERS:
        return "iterations"
    return "learning_rate" if last in _RATES else _STATES.get(last, last)


def slot_of(kind: str, slots: tuple[str, ...], name: str) -> str | None:
    """Our name of the slot that a path in a file speaks of, None if it says nothing.

    Args:
        kind: the optimizer's class.
        slots: its slots.
        name: path such as .../m_0, .../kernel/m, Adam/m/..., or adam/dense_kernel_momentum.

    Example:
        >>> slot_of("Adam", ("m", "v"), "adam/dense_kernel_velocity")
        'v'
    """
    ours = {
        **_KEPT,
        **{slot: slot for slot in slots},
        **_OURS.get(kind, {}),
        **{theirs: own for own, theirs in _KERAS_2.get(kind, {}).items()},
    }
    parts = name.split("/")
    base, _, number = parts[-1].rpartition("_")
    # Longer words first: "velocity_hat" before "hat" or "velocity".
    ends = [w for w in sorted(ours, key=len, reverse=True) if parts[-1].endswith(f"_{w}")]
    words = [base if number.isdigit() else parts[-1], *parts[1:2], *ends[:1]]
    return next((ours[w] for w in words if w in ours), None)
