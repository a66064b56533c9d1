"""Opening with the type that a test expects."""

from beholder.recordings import RecordedRDMs, Recordings, open_recordings


def open_units(path, **given) -> Recordings:
    found = open_recordings(path, **given)
    assert isinstance(found, Recordings)
    return found


def open_rdms(path, **given) -> RecordedRDMs:
    found = open_recordings(path, **given)
    assert isinstance(found, RecordedRDMs)
    return found


def list_runs(recordings: Recordings) -> list[list[str]]:
    assert recordings.runs is not None
    return recordings.runs.tolist()
