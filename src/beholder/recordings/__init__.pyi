from ._open import open_recordings as open_recordings
from ._rdms import RecordedRDMs as RecordedRDMs
from ._recordings import Recordings as Recordings
