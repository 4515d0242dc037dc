"""Where batches come from: rows that are read when they are used, sequences, iterators."""

from kgraph.training.sources.base import Source
from kgraph.training.sources.choose import Reading, is_stream, make_source
from kgraph.training.sources.rows import Columns, Rows, reads_rows
from kgraph.training.sources.stream import Stream, StreamBatches

__all__ = [
    "Columns",
    "Reading",
    "Rows",
    "Source",
    "Stream",
    "StreamBatches",
    "is_stream",
    "make_source",
    "reads_rows",
]
