from ._presets import PRESETS as PRESETS
from ._presets import resolve_settings as resolve_settings
from ._settings import TrainingSettings as TrainingSettings
from .data._arrays import ArrayData as ArrayData
from .data._open import open_training_data as open_training_data
from .data._protocol import TrainingData as TrainingData
from .data._settings import DataSettings as DataSettings
from .data._threads import read_ahead as read_ahead
