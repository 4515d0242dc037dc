"""What of an HDF5 file is safe to read: texts and numbers that lie in the file, of honest sizes."""

from __future__ import annotations

import math
from typing import Any

import h5py

# A chunk is unpacked whole, even for one element of it.
_CHUNK_LIMIT = 1 << 26
# HDF5 loads a plug-in for any other filter: code that a file would choose.
_FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}


def file_size(group: Any) -> int:
    """The bytes of the file that holds a group."""
    return int(group.file.id.get_filesize())


def is_readable(attribute: Any, group: Any) -> bool:
    """Whether an attribute holds texts or numbers, and no more than its file can hold.

    Args:
        attribute: the low-level id.
        group: what it belongs to.
    """
    claim = math.prod(attribute.shape or ()) * attribute.get_type().get_size()
    kind = attribute.get_type().get_class()
    return claim <= file_size(group) and kind in (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT)


def reads_plainly(data: Any) -> str | None:
    """What is wrong with reading a dataset of numbers, None if nothing is."""
    if data.is_virtual or data.external:
        return "keeps its data in another file, which is not read"
    settings = data.id.get_create_plist()
    used = {settings.get_filter(i)[0] for i in range(settings.get_nfilters())}
    if used - _FILTERS:
        return "is compressed in a way that needs a plug-in, which is not loaded"
    if math.prod(data.chunks or ()) * data.dtype.itemsize > max(_CHUNK_LIMIT, data.nbytes):
        return "claims chunks that are larger than the array"
    return None
