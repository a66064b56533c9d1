from ._open import open_recordings as open_recordings
from ._rdms import RecordedRDMs as RecordedRDMs
from ._recordings import Recordings as Recordings
from ._summary import count_faults as count_faults
from ._summary import find_constant_units as find_constant_units
from ._summary import summarize_recordings as summarize_recordings
