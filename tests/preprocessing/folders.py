"""Folders of synthetic images, for tests of what reads them."""

import numpy as np

from kgraph.preprocessing.image import save_img


def fill(folder, counts, ending="png", size=(7, 9)):
    """Writes `counts[name]` random images into `folder/name`, and a file that is none."""
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "notes.txt").write_text(f"not an image of {name}")
        for i in range(count):
            x = rng.uniform(0, 255, (*size, 3))
            save_img(folder / name / f"{name}{i}.{ending}", x, scale=False)
    return folder
