"""The blocks of the documents that no test runs, by page and how they begin, each with its reason.

Everything else runs in an empty folder, without a network, in the order of the page. Commands among these are parsed.
"""

DOWNLOADS = "published data or weights from the network, hundreds of megabytes of most"
HOURS = "takes from many minutes to hours"
ELSEWHERE = "a cluster, a server or a GPU that is not on this machine"
OTHERS = "files that only other programs, or people's browsers, make"
INSTALLS = "installs packages"
OTHER_LANGUAGE = "R, which tests do not have"

NOT_RUN: dict[tuple[str, str], str] = {
    ("README", "pip install . && beholder demo"): INSTALLS,
    ("README", "pip install '.[test]' && pytest"): INSTALLS,
    ("README", "beholder models fetch resnet50"): DOWNLOADS,
    ("assets", "beholder assets fetch metamers-400"): DOWNLOADS,
    ("assets", "from beholder.stimuli import fetch_assets"): DOWNLOADS,
    ("assets", 'stim = bh.StimulusSet.from_named("metamers-400'): DOWNLOADS,
    ("assets", 'acts = bh.extract("resnet50", bh.StimulusSet.from_named("algonauts-78")'): DOWNLOADS,
    ("bundled", "beholder train beholder:shapes@random shapes --preset tools/networks/shapes.toml"): HOURS,
    ("bundled", "python tools/seed_study.py"): HOURS,
    ("cluster", "beholder extract --model_name resnet50"): ELSEWHERE,
    ("cluster", "dask scheduler --port 8786"): ELSEWHERE,
    ("compare_people", "beholder assets fetch shape-texture-cue-conflict recognition-trials"): DOWNLOADS,
    ("deploying", "pip install -r requirements/serving.txt"): INSTALLS,
    ("encoding", "beholder analyze sounds -D cochresnet50"): DOWNLOADS,
    ("extraction", "beholder extract --model_name resnet50"): HOURS,
    ("index", "pip install . && beholder demo"): INSTALLS,
    ("install", "python -m venv"): INSTALLS,
    ("install", "conda create"): INSTALLS,
    ("install", "beholder models fetch resnet50"): DOWNLOADS,
    ("extraction", "features <- arrow::read_parquet"): OTHER_LANGUAGE,
    ("judge", "beholder metamers judge metamers/ --models vgg19 --published"): DOWNLOADS,
    ("judge", "from beholder.evaluation import compare_with_published"): DOWNLOADS,
    ("models", "beholder models fetch resnet50"): DOWNLOADS,
    ("models", 'model, transform = clip.load("ViT-B/32"'): DOWNLOADS,
    ("models", "beholder extract --model_name ViT-32 --labels"): DOWNLOADS,
    ("models", "from beholder.models import build_zero_shot_head"): DOWNLOADS,
    ("own_models", "import torch"): OTHERS,
    ("panel", "beholder panel --stimuli_root /path/to"): DOWNLOADS,
    ("recordings", "beholder assets fetch fmri-regressions"): DOWNLOADS,
    ("remote", "pip install 'beholder[remote]'"): INSTALLS,
    ("remote", "beholder extract --model_name squeezenet1_1"): ELSEWHERE,
    ("report-and-demo", "beholder demo --out demo"): HOURS,
    ("tasks", "beholder tasks import exp_data collected/"): OTHERS,
    ("tasks", "beholder tasks upgrade answers-2.sqlite"): OTHERS,
    ("training", "beholder train beholder:syllables free-spoken-digit-dataset"): DOWNLOADS,
    ("training", "torchrun --nproc_per_node 4"): ELSEWHERE,
    ("units", "beholder units exemplars --model_name resnet50-l2"): DOWNLOADS,
    ("units", "beholder units sample --model_name squeezenet1_1 --n_units 50"): DOWNLOADS,
}
