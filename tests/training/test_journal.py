"""A journal holds what was appended, whatever happened to its writer."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shrinkage._errors import ArgumentError, DataError
from shrinkage.training import Journal

SETTINGS = {"strengths": [0.0, 0.1], "epochs": 3, "optimizer": {"class": "DualAdam", "groups": [{"lr": 0.01}]}}
RECORDS = [{"kind": "seed", "place": place, "losses": [0.1 * place, None]} for place in range(4)]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork of POSIX")


def filled(folder, records=RECORDS):
    with Journal(folder, SETTINGS) as journal:
        for record in records:
            journal.append(record)
    return folder / "journal.jsonl"


def kept(folder, settings=SETTINGS):
    with Journal(folder, settings) as journal:
        return journal.records


def test_what_was_appended_is_read_again(tmp_path):
    filled(tmp_path / "new" / "folder")
    assert kept(tmp_path / "new" / "folder") == RECORDS
    with Journal(tmp_path / "new" / "folder", SETTINGS) as journal:
        journal.append({"kind": "more"})
    assert kept(tmp_path / "new" / "folder") == [*RECORDS, {"kind": "more"}]


def test_every_line_is_json_by_itself(tmp_path):
    lines = filled(tmp_path).read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(5))
    assert [json.loads(line)["record"] for line in lines[1:]] == RECORDS


def test_torn_at_any_byte_it_keeps_every_whole_line_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no test can see it, and it takes long
    path = filled(tmp_path, RECORDS[:2])
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        survivors = RECORDS[: max(sum(end <= length for end in ends) - 1, 0)]
        with Journal(tmp_path, SETTINGS) as journal:
            assert journal.records == survivors
            journal.append({"kind": "after"})
        assert kept(tmp_path) == [*survivors, {"kind": "after"}]


def test_zeros_behind_the_last_line_are_cut_off(tmp_path):
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(4096))  # what a file system may leave after a power failure
    assert kept(tmp_path) == RECORDS


@pytest.mark.parametrize("length", [0, 1, 7, 16, 60])
def test_a_first_line_that_a_power_failure_left_as_zeros_is_begun_anew(tmp_path, length):
    path = filled(tmp_path, [])
    path.write_bytes(path.read_bytes()[:length] + bytes(300))
    assert kept(tmp_path) == []
    assert path.read_bytes().startswith(b'{"n":0')


@pytest.mark.parametrize("text", ["one line of the user's", "one line, ended\n", '{"n":1}\n', "{", "first\nsecond\n"])
def test_a_file_of_that_name_that_is_no_journal_stays_as_it_is(tmp_path, text):
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    if text == "{":  # may be the start of ours
        assert kept(tmp_path) == []
        return
    with pytest.raises(DataError, match=r"is not a journal|is damaged"):
        Journal(tmp_path, SETTINGS)
    assert path.read_text() == text
    path.unlink()
    assert kept(tmp_path) == []  # nothing was held


@POSIX
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match=r"journal must be a folder that can be written; /proc/none cannot"):
        Journal("/proc/none", SETTINGS)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("mkdir", "open", "read_bytes"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, name, denied)
            with pytest.raises(ArgumentError, match=r"can be written.*Permission denied"):
                Journal(tmp_path / name, SETTINGS)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", denied)
        with pytest.raises(ArgumentError, match=r"can be written.*Permission denied"):
            Journal(tmp_path / "mkdir", SETTINGS)
    for name in ("mkdir", "open", "read_bytes"):
        assert kept(tmp_path / name) == []  # and nothing was held


@pytest.mark.parametrize("how", ["changed", "swapped", "missing"])
def test_damage_before_the_last_line_is_refused_and_named(tmp_path, how):
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "changed":
        lines[2] = lines[2].replace(b'"place":1', b'"place":7')
    elif how == "swapped":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        del lines[2]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=r"line 3 of .* is damaged"):
        Journal(tmp_path, SETTINGS)
    assert path.read_bytes() == b"".join(lines)  # nothing was cut


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 4}, r"begun with epochs = 3; this call has 4"),
        ({"strengths": [0.0, 0.2]}, r"strengths = \[0\.0, 0\.1\]; this call has \[0\.0, 0\.2\]"),
        ({"optimizer": {"class": "DualAdam", "groups": [{"lr": 0.02}]}}, r"optimizer\.groups\[0\]\.lr = 0\.01"),
        ({"optimizer": None}, r"optimizer = \{"),
        ({"epochs": True}, r"epochs = 3; this call has True"),
        ({"new": 1, "epochs": 9}, r"epochs = 3; this call has 9 \(and new\)"),
    ],
)
def test_other_settings_are_refused_and_the_first_difference_named(tmp_path, changes, said):
    filled(tmp_path)
    with pytest.raises(ArgumentError, match=said):
        Journal(tmp_path, SETTINGS | changes)
    assert kept(tmp_path) == RECORDS  # and the lock was let go


def test_settings_compare_as_the_numbers_that_they_are(tmp_path):
    filled(tmp_path)
    assert kept(tmp_path, SETTINGS | {"strengths": (0, 0.1), "epochs": 3.0}) == RECORDS


def test_a_second_writer_in_this_process_is_refused(tmp_path):
    with Journal(tmp_path, SETTINGS), pytest.raises(ArgumentError, match="in this process already"):
        Journal(tmp_path / ".." / tmp_path.name, SETTINGS)
    assert kept(tmp_path) == []


WRITER = """
import os, sys, time
from shrinkage.training import Journal
journal = Journal(sys.argv[1], {"a": 1})
if "child" in sys.argv and os.fork() == 0:
    time.sleep(30)
    os._exit(0)
journal.append({"kind": "first"})
print("ready", flush=True)
time.sleep(30)
"""


def writer(folder, *more):
    code = textwrap.dedent(WRITER)
    started = subprocess.Popen([sys.executable, "-c", code, str(folder), *more], stdout=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    assert started.stdout.readline() == "ready\n"
    return started


@POSIX
def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    first = writer(tmp_path)
    with first.stdout:
        with pytest.raises(ArgumentError, match=f"being written by process {first.pid}"):
            Journal(tmp_path, {"a": 1})
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert kept(tmp_path, {"a": 1}) == [{"kind": "first"}]


@POSIX
def test_children_of_a_killed_writer_hold_nothing(tmp_path):
    first = writer(tmp_path, "child")
    try:
        with first.stdout:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        assert kept(tmp_path, {"a": 1}) == [{"kind": "first"}]
    finally:
        os.killpg(first.pid, signal.SIGKILL)


def test_files_are_whole_named_and_checked(tmp_path):
    with Journal(tmp_path, SETTINGS) as journal:
        named = journal.put("weights.pt", lambda stream: stream.write(b"weights" * 1000))
        assert named["bytes"] == 7000
        journal.append({"kind": "seed", "inside": [{"file": named}]})
        assert journal.path_of(named).read_bytes() == b"weights" * 1000
    with Journal(tmp_path, SETTINGS) as journal:
        path = journal.path_of(journal.records[0]["inside"][0]["file"])
        path.write_bytes(b"weightz" + path.read_bytes()[7:])
        with pytest.raises(DataError, match="damaged"):
            journal.path_of(named)
        path.unlink()
        with pytest.raises(DataError, match="missing"):
            journal.path_of(named)
        with pytest.raises(ArgumentError, match="plain file name"):
            journal.put("../weights.pt", lambda stream: stream.write(b""))


def test_files_that_no_line_names_are_removed_and_those_of_others_stay(tmp_path):
    (tmp_path / "mine.pt").write_bytes(b"of the user")
    with Journal(tmp_path, SETTINGS) as journal:
        lost = journal.put("lost.pt", lambda stream: stream.write(b"its line was never written"))
        with pytest.raises(RuntimeError), journal:
            journal.put("half.pt", lambda stream: (_ for _ in ()).throw(RuntimeError))
    kept(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.jsonl", "journal.lock", "mine.pt"]
    assert lost["file"] == "journal-lost.pt"


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_an_interrupted_append_leaves_a_journal_that_goes_on(tmp_path, monkeypatch, when):
    with Journal(tmp_path, SETTINGS) as journal:
        journal.append(RECORDS[0])
        real = journal._stream

        class Interrupted:
            def write(self, line):
                if when != "before":
                    real.write(line if when == "after" else line[: len(line) // 2])
                raise KeyboardInterrupt

            def fileno(self):
                return real.fileno()

        monkeypatch.setattr(journal, "_stream", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            journal.append(RECORDS[1])
        monkeypatch.setattr(journal, "_stream", real)
        there = RECORDS[:2] if when == "after" else RECORDS[:1]
        assert journal.records == there
        journal.append(RECORDS[2])
    assert kept(tmp_path) == [*there, RECORDS[2]]


def test_what_is_no_folder_or_no_plain_data_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArgumentError, match="must be a folder"):
            Journal(place, SETTINGS)
    with Journal(tmp_path, SETTINGS) as journal:
        for bad in (float("nan"), {1, 2}):
            with pytest.raises(ArgumentError, match="plain data"):
                journal.append({"kind": bad})
    assert kept(tmp_path) == []


def test_a_line_is_on_the_disk_before_append_returns(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    with Journal(tmp_path, SETTINGS) as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        journal.append(RECORDS[0])
        assert synced == [(tmp_path / "journal.jsonl").stat().st_ino]
        synced.clear()
        named = journal.put("weights.pt", lambda stream: stream.write(b"w"))
        folder = [] if sys.platform == "win32" else [tmp_path.stat().st_ino]
        assert synced == [journal.path_of(named).stat().st_ino, *folder]
