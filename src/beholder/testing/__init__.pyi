from ._executors import check_executor as check_executor
from ._objectives import check_objective as check_objective
from ._preprocessing import check_preprocessing as check_preprocessing
from ._sections import check_section as check_section
from ._sources import check_source as check_source
from ._stimulus_sets import check_stimulus_set as check_stimulus_set
from ._task_kinds import check_task_kind as check_task_kind
