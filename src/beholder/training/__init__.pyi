from ._presets import PRESETS as PRESETS
from ._presets import resolve_settings as resolve_settings
from ._settings import TrainingSettings as TrainingSettings
from .data._arrays import ArrayData as ArrayData
from .data._protocol import TrainingData as TrainingData
