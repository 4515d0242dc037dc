"""Models and weights in files."""

from kgraph.saving.models import load_model, save_model
from kgraph.saving.weights import load_weights, save_weights

# Files name models, and these are known to the table of layers once this is imported. It comes
# last, for it imports the modules above.
import kgraph.models  # isort: skip  # noqa: F401

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]
