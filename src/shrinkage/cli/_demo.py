"""The data sets of the demonstration, written as the files that a user would have."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shrinkage.cli._write import write_whole
from shrinkage.datasets import Dataset, load_breast_cancer, load_diabetes, load_digits, load_nci60


@dataclass(frozen=True)
class Show:
    """One data set and what is asked of it."""

    name: str
    title: str
    load: Callable[[], Dataset]
    target: str
    positive: str | None = None
    cv: int = 10
    fits: bool = True
    trains: Mapping[str, Any] = field(default_factory=dict)
    """Options of `train`; nothing stands for no network."""


SHOWS = (
    Show("diabetes", "Diabetes: progression after a year, 442 patients, 10 columns", load_diabetes, "progression"),
    Show(
        "breast-cancer",
        "Breast cancer: benign or malignant, 569 tumors",
        load_breast_cancer,
        "diagnosis",
        trains={"strengths": "1e-4:2e-2:9"},
    ),
    Show(
        "nci60",
        "NCI60: melanoma against the rest, 64 cell lines, 6,830 genes",
        load_nci60,
        "cancer",
        positive="MELANOMA",
        cv=8,
    ),
    Show(
        "digits",
        "Digits: which of ten, 1,797 images of 8 x 8 pixels",
        load_digits,
        "digit",
        fits=False,
        trains={"penalty": "group", "loss": "multinomial", "strengths": "5e-5:3e-3:9", "epochs": 30, "batch_size": 64},
    ),
)


def write_data(show: Show, folder: Path) -> Path:
    """Write the data set as CSV, and return its path."""
    data = show.load()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*data.feature_names, show.target])
    for row, value in zip(data.X.tolist(), data.y.tolist(), strict=True):
        writer.writerow([*(f"{number:.8g}" for number in row), value])
    path = folder / f"{show.name}.csv"
    write_whole(path, stream.getvalue().encode())
    return path
