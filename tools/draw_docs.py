r"""Draw the pictures of ``docs/compare_people.md`` anew, from results that lie in a folder.

    beholder evaluate battery squeezenet1_1 \
        --stimuli CUE_CONFLICT --trials TRIALS/cue-conflict --out RESULTS/cue-conflict
    beholder evaluate battery squeezenet1_1 timm:tf_efficientnet_lite0.in1k \
        --stimuli SILHOUETTES --trials TRIALS/silhouette --out RESULTS/silhouette
    beholder analyze psychometrics TRIALS/contrast --out RESULTS/psychometrics --scale log --lapse free \
        --columns participant=subj response=object_response truth=category stimulus=imagename level=condition
    beholder analyze anova VisionExperiment1_network_vs_humans_datamatrix_vgg_19_public.mat --out RESULTS/anova
    python tools/draw_docs.py RESULTS

The pictures and trials are the assets ``shape-texture-…`` and ``recognition-trials``, the matrix is of
``human-vision-1``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from beholder.analysis import RESULT_KINDS, open_result
from beholder.figures import use_style

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
CHOSEN = {
    "cue_conflict_shape_bias": ("cue-conflict/battery.parquet", "recognition_shape_bias"),
    "cue_conflict_people": ("cue-conflict/battery.parquet", "people_0"),
    "silhouettes_correct": ("silhouette/battery.parquet", "recognition_curves"),
    "silhouettes_agreement": ("silhouette/battery.parquet", "agreement_kappas"),
    "contrast_functions": ("psychometrics/psychometrics.parquet", "functions"),
    "vgg_19_stages": ("anova/anova.parquet", "means"),
}
"""Picture of the page to the result that it is of, and which of its drawings."""


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    folder = parser.parse_args().results
    PICTURES.mkdir(exist_ok=True)
    for name, (file, wanted) in CHOSEN.items():
        result = open_result(folder / file)
        drawing = next(each for each in RESULT_KINDS[result.kind].draw(result) if each.name == wanted)
        with use_style():
            drawing.figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None, "Creator": "Beholder"})
        print(f"{name}.svg: {drawing.alt}")


if __name__ == "__main__":
    main()
