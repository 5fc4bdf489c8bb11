"""Batches: every row once, in an order that seed and epoch decide and nothing else."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    TensorDataset,
    WeightedRandomSampler,
)

from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.torch import _data  # noqa: E402
from shrinkage.torch._data import Batches, as_batches, split  # noqa: E402
from shrinkage.torch._loader_batches import LoaderBatches  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def numbered(n=50, batch_size=8):
    rows = torch.arange(n)
    return Batches(rows[:, None] * torch.ones(3), rows, batch_size)


def order(batches, seed, epoch):
    return torch.cat([y for _, y in batches.epoch(seed, epoch)]).tolist()


@pytest.mark.parametrize("n", [1, 2, 8, 17, 50])
@pytest.mark.parametrize("batch_size", [1, 2, 8, 64, None])
def test_an_epoch_holds_every_row_once_with_its_label(n, batch_size):
    batches = numbered(n, batch_size)
    sizes = []
    seen = []
    for x, y in batches.epoch(3, 1):
        assert torch.equal(x[:, 0], y.float())
        sizes.append(len(y))
        seen += y.tolist()
    assert sorted(seen) == list(range(n))
    assert len(sizes) == batches.steps_per_epoch
    assert batches.n_rows == n
    size = min(batch_size or n, n)
    assert all(one == size for one in sizes[:-1])
    assert sizes[-1] <= size + 1
    assert sizes[-1] > 1 or size == 1  # no batch of one row, whose variance is none


def test_the_order_is_decided_by_seed_and_epoch_and_nothing_else():
    batches = numbered()
    torch.manual_seed(99)
    first = order(batches, 2, 7)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert order(numbered(), 2, 7) == first
    assert torch.equal(torch.get_rng_state(), before)
    others = [order(batches, seed, epoch) for seed, epoch in ((2, 8), (3, 7), (7, 2), (0, 0))]
    assert len({tuple(one) for one in [first, *others]}) == 5


def test_rows_gathered_in_pieces_are_the_same_rows(monkeypatch):
    whole = [(x, y) for x, y in numbered(53).epoch(0, 0)]
    for chunk in (1, 300, 1000):
        monkeypatch.setattr(_data, "CHUNK", chunk)
        pieces = list(numbered(53).epoch(0, 0))
        assert len(pieces) == len(whole)
        assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(pieces, whole, strict=True))


def test_in_order_is_as_the_rows_stand():
    assert torch.cat([y for _, y in numbered().in_order()]).tolist() == list(range(50))


def test_numbers_of_any_kind_become_tensors():
    batches = Batches(np.ones((4, 2), dtype=np.float64), np.array([True, False, True, True]), 2)
    assert (batches.X.dtype, batches.y.dtype) == (torch.float32, torch.int64)
    assert batches.y.tolist() == [1, 0, 1, 1]
    assert {Batches([[1.0]], torch.ones(1, dtype=kind)).y.dtype for kind in WHOLE} == {torch.int64}
    locked = np.ones((4, 2), dtype=np.float32)
    locked.flags.writeable = False  # as the columns of a data frame are; torch warns of it
    assert Batches(locked, locked[:, 0], 2).X.tolist() == locked.tolist()
    kept = torch.ones(4, 2, dtype=torch.float64)
    assert Batches(kept, [0, 1, 2, 3]).X.dtype is torch.float64
    assert Batches([[1, 2], [3, 4]], [0.5, 1]).X.dtype is torch.int64  # tokens stay whole


def test_the_fingerprint_sees_every_number():
    X, y = torch.randn(20, 3), torch.arange(20)
    same = Batches(X.clone(), y.clone(), 4).fingerprint()
    assert Batches(X, y, 5).fingerprint() == same
    X[19, 2] += 1e-6
    assert Batches(X, y, 4).fingerprint() != same


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_a_split_takes_its_share_of_every_class_and_loses_no_row(share):
    y = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)[torch.randperm(100)]
    X = torch.arange(100.0)[:, None]
    train, held_out = split((X, y), share, seed=1, batch_size=8)
    assert sorted([*train.X[:, 0].tolist(), *held_out.X[:, 0].tolist()]) == list(range(100))
    assert held_out.n_rows == round(100 * share)
    for label, count in enumerate((60, 30, 10)):
        assert abs(int((held_out.y == label).sum()) - count * share) < 1
    assert torch.equal(y[held_out.X[:, 0].long()], held_out.y)
    assert (train.batch_size, held_out.batch_size) == (8, min(32, held_out.n_rows))


def test_a_split_is_decided_by_its_seed():
    X, y = torch.arange(100.0)[:, None], torch.randn(100)
    rows = [split((X, y), 0.3, seed=seed)[1].X[:, 0].tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_rows_may_be_held_out_by_hand():
    X, y = torch.randn(10, 2), torch.randn(10)
    train, held_out = split((X, y), (X[:3], y[:3]), batch_size=5)
    assert (train.n_rows, held_out.n_rows) == (10, 3)
    loader = DataLoader(TensorDataset(X, y), batch_size=4)
    assert isinstance(split((X, y), loader)[1], LoaderBatches)
    assert as_batches(train) is train


class Drawn(Dataset):
    """Its rows hold random numbers, as augmented images would."""

    def __len__(self):
        return 30

    def __getitem__(self, row):
        return torch.rand(2), torch.tensor(row)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_is_shuffled_and_transformed_by_seed_and_epoch(workers):
    loader = DataLoader(Drawn(), batch_size=8, shuffle=True, num_workers=workers)
    batches = as_batches(loader)
    assert batches.reproducible
    first = list(batches.epoch(1, 2))
    torch.manual_seed(5)
    torch.rand(7)
    before = torch.get_rng_state()
    again = list(batches.epoch(1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    other = list(batches.epoch(1, 3))
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(first, again, strict=True))
    assert not torch.equal(first[0][1], other[0][1])
    assert sorted(torch.cat([y for _, y in first]).tolist()) == list(range(30))
    assert (batches.n_rows, batches.steps_per_epoch) == (30, 4)


def test_an_epoch_of_persistent_workers_is_that_of_fresh_ones():
    def loader():
        return DataLoader(Drawn(), batch_size=8, shuffle=True, num_workers=2, persistent_workers=True)

    running = as_batches(loader())
    epochs = [list(running.epoch(1, epoch)) for epoch in range(3)]
    for resumed in (running, as_batches(loader())):
        for (x, y), (a, b) in zip(resumed.epoch(1, 2), epochs[2], strict=True):
            assert torch.equal(x, a)
            assert torch.equal(y, b)
    assert not torch.equal(epochs[1][0][1], epochs[2][0][1])


def test_random_numbers_drawn_between_batches_change_no_batch():
    loader = DataLoader(Drawn(), batch_size=8, shuffle=True)
    quiet = [x for x, _ in as_batches(loader).epoch(0, 0)]
    loud = []
    for x, _ in as_batches(loader).epoch(0, 0):
        torch.rand(3)
        loud.append(x)
    assert all(torch.equal(a, b) for a, b in zip(quiet, loud, strict=True))


def test_a_loader_has_its_own_generators_back():
    own = torch.Generator().manual_seed(4)
    state = own.get_state()
    loader = DataLoader(Drawn(), batch_size=8, shuffle=True, generator=own)
    steps = as_batches(loader).epoch(0, 0)
    next(steps)
    steps.close()  # as an interrupted epoch does
    assert loader.generator is own
    assert loader.sampler.generator is own
    assert torch.equal(own.get_state(), state)


class OwnOrder(Sampler):
    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(torch.randperm(len(self.data)).tolist())

    def __len__(self):
        return len(self.data)


class NumPyOrder(OwnOrder):
    def __init__(self, data):
        super().__init__(data)
        self.generator = np.random.default_rng(0)

    def __iter__(self):
        return iter(self.generator.permutation(len(self.data)).tolist())


class Told(OwnOrder):
    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter(torch.randperm(len(self.data), generator=torch.Generator().manual_seed(self.epoch)).tolist())


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(torch.ones(2), torch.tensor(0))] * 12)


def test_a_loader_says_what_cannot_be_reproduced():
    data = Drawn()
    seedable = [RandomSampler(data), WeightedRandomSampler([1.0] * 30, 30), Told(data)]
    for sampler in seedable:
        batches = as_batches(DataLoader(data, batch_size=8, sampler=sampler))
        assert batches.note == ""
        assert order(batches, 0, 1) == order(batches, 0, 1) != order(batches, 0, 2)
    inside = as_batches(DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data), 8, drop_last=True)))
    assert inside.reproducible
    assert order(inside, 0, 1) == order(inside, 0, 1) != order(inside, 1, 1)
    for kind in (OwnOrder, NumPyOrder):
        doubtful = as_batches(DataLoader(data, batch_size=8, sampler=kind(data)))
        assert f"the sampler {kind.__name__} has no `generator` of torch's" in doubtful.note
        assert sorted(order(doubtful, 0, 0)) == list(range(30))  # its own generator is left to it
    endless = as_batches(DataLoader(Endless(), batch_size=5))
    assert "iterable data set Endless" in endless.note
    assert (endless.n_rows, endless.steps_per_epoch) == (None, None)
    assert [len(y) for _, y in endless.epoch(0, 0)] == [5, 5, 2]


def test_dropped_rows_are_not_counted():
    batches = as_batches(DataLoader(Drawn(), batch_size=8, drop_last=True))
    assert (batches.n_rows, batches.steps_per_epoch) == (24, 3)
    assert len(order(batches, 0, 0)) == 24


@pytest.mark.parametrize("batch_size", [1, 2, 29, 30, 31])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_last_batch_of_one_row_is_known(batch_size, drop_last):
    batches = as_batches(DataLoader(Drawn(), batch_size=batch_size, drop_last=drop_last))
    sizes = [len(y) for _, y in batches.epoch(0, 0)]
    assert batches.ends_in_one_row == (len(sizes) > 1 and sizes[-1] == 1 < sizes[0])


def test_inputs_of_several_tensors_pass_through_a_loader():
    data = [({"a": torch.ones(2), "b": torch.zeros(1)}, torch.tensor(k)) for k in range(6)]
    (x, y), *_ = as_batches(DataLoader(data, batch_size=4)).to(torch.device("cpu")).in_order()
    assert x["a"].shape == (4, 2)
    assert y.tolist() == [0, 1, 2, 3]
    assert as_batches(DataLoader(data, batch_size=4)).fingerprint().startswith("list, 6 rows, 2 batches")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Batches(torch.ones(3, 2), torch.ones(4)), r"same number of rows; got shapes \(3, 2\) and \(4,\)"),
        (lambda: Batches(torch.ones(0, 2), torch.ones(0)), "at least one row"),
        (lambda: Batches(torch.ones(3, 2), torch.ones(3), 0), "batch_size must be a whole number >= 1"),
        (lambda: Batches([[1.0], [np.inf]], [0, 1]), "X must be finite; row 1"),
        (lambda: Batches([[1.0], [2.0]], ["a", "b"]), "y must hold numbers"),
        (lambda: LoaderBatches([1]), "loader must be a torch DataLoader"),
        (lambda: as_batches({"X": 1}), "data must be a pair"),
        (lambda: split((torch.ones(3, 1), torch.ones(3)), 0.2), "at least one row and leaves one"),
        (lambda: split((torch.ones(3, 1), torch.ones(3)), 1.0), "at least one row and leaves one"),
        (lambda: next(as_batches(DataLoader(torch.ones(4, 2))).in_order()), r"pairs \(x, y\)"),
    ],
)
def test_what_is_no_data_is_refused(make, said):
    with pytest.raises((ArgumentError, DataError), match=said):
        make()
