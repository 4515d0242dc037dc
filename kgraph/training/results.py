"""What methods of a model return for measured values, and what they print first."""

from __future__ import annotations

from typing import Any


def as_result(found: dict[str, Any], return_dict: bool) -> Any:
    """Measured values as Keras returns them.

    Args:
        found: values by name, in the order of `metrics_names`.
        return_dict: whether the caller asked for the dict.

    Returns:
        The dict, the only value, or a list.

    Example:
        >>> as_result({"loss": 0.5}, False), as_result({"loss": 0.5, "mae": 0.25}, False)
        (0.5, [0.5, 0.25])
    """
    if return_dict:
        return found
    values = list(found.values())
    return values[0] if len(values) == 1 else values


def announce(train: Any, validation: Any) -> None:
    """Prints the line before training, where it is known how many samples there are.

    Args:
        train: has `samples`, None where they are unknown.
        validation: likewise, or None.
    """
    if train.samples is None:
        return
    known = validation is not None and validation.samples is not None
    end = f", validate on {validation.samples} samples" if known else ""
    print(f"Train on {train.samples} samples{end}")
