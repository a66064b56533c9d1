"""What the demo's page says about each picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from beholder._core.wording import format_count, format_share
from beholder.figures import FigureRecord

if TYPE_CHECKING:
    from beholder.evaluation import MakerComparison


def describe_stimuli(n_stimuli: int, seed: int) -> FigureRecord:
    """Words for the gallery of pictures."""
    return FigureRecord(
        title="What was the network shown?",
        answer=f"{format_count(n_stimuli, 'picture')} of 16 categories, "
        "eight shapes and eight textures, drawn by code.",
        explanation="Colour, position, size and rotation vary at random within each category, so "
        "none of them gives it away.",
        method=f"Seed {seed}. The network was trained on pictures drawn with another seed.",
        order=100,
    )


def describe_accuracy(n_right: int, n_shown: int, n_categories: int) -> FigureRecord:
    """Words for the picture of right answers."""
    return FigureRecord(
        title="Does the network recognise the pictures?",
        answer=f"It names {n_right} of {format_count(n_shown, 'picture')} right ({format_share(n_right / n_shown)}); "
        f"chance is {100 / n_categories:.3g} %.",
        explanation="One dot a category. The line is the range in which the true share plausibly "
        "lies; with few pictures it is long.",
        alt=f"Right answers in each of {format_count(n_categories, 'category')}, with 95 percent intervals; "
        f"{n_right} of {n_shown} in all.",
        method="An answer is the largest of the network's outputs (layer classifier).",
        order=200,
    )


def describe_maps(stimulus: str, sizes: Mapping[str, tuple[int, int]]) -> FigureRecord:
    """Words for the picture of feature maps; ``sizes`` are height and width of each layer's maps."""
    layers = list(sizes)
    heights, widths = zip(*sizes.values(), strict=True)
    return FigureRecord(
        title="What does a layer make of a picture?",
        answer=f"The maps of {stimulus} shrink from {heights[0]} × {widths[0]} positions at {layers[0]} "
        f"to {heights[-1]} × {widths[-1]} at {layers[-1]}: less of where, more of what.",
        explanation="A row is a layer, a square one of its maps, with its channel's number below: "
        "where in the picture the channel is "
        "active (white) and where it is not (black).",
        alt=f"Eight feature maps at each of {', '.join(layers)} beside the picture {stimulus}.",
        method="The eight channels of each layer that vary most over the picture; each map has its own scale.",
        order=300,
    )


def describe_activity(means: Mapping[str, float]) -> FigureRecord:
    """Words for the picture of active units."""
    first, last = next(iter(means)), list(means)[-1]
    return FigureRecord(
        title="How much of each layer is active?",
        answer=f"{format_share(means[first] / 100)} of the units at {first}, "
        f"{format_share(means[last] / 100)} at {last}.",
        explanation="One small dot a picture. A unit is active where its value is above zero, which "
        "is what its ReLU lets through. "
        "Few active units mean that each says something specific.",
        alt="Proportion of active units for each picture, layer by layer.",
        method="Proportion of values above zero in a layer, for each picture.",
        order=310,
    )


def describe_rdms(layers: Sequence[str], n_stimuli: int, shares: Mapping[str, float]) -> FigureRecord:
    """Words for the picture of dissimilarity matrices."""
    first, last = layers[0], layers[-1]
    return FigureRecord(
        title="Which pictures are alike to the network?",
        answer=f"At {first}, the most alike picture is of the same category for "
        f"{format_share(shares[first])} of the pictures, "
        f"at {last} for {format_share(shares[last])}"
        + (": categories draw together with depth." if shares[last] > shares[first] else "."),
        explanation="Each square compares the picture of its row with that of its column: dark "
        "means alike to this layer, light unlike. "
        "Dark blocks along the diagonal are categories that the layer keeps together.",
        alt=f"Dissimilarity matrices of {format_count(n_stimuli, 'picture')} "
        f"at {', '.join(layers)}, grouped by category.",
        method="1 minus the correlation of two pictures' activations over all units of the layer, "
        "shown as its rank among all pairs.",
        order=400,
    )


def describe_neighbours(shares: Mapping[str, float], chance: float, n_stimuli: int) -> FigureRecord:
    """Words for the picture of nearest neighbours."""
    best = max(shares, key=lambda layer: shares[layer])
    return FigureRecord(
        title="From which layer on do categories draw together?",
        answer=f"The most alike picture is of the same category most often at {best} ({format_share(shares[best])}; "
        f"chance {100 * chance:.3g} %).",
        explanation="For every picture, the one that is most alike to a layer is looked up in the matrices above.",
        alt="Proportion of pictures whose nearest neighbour has the same category, layer by layer.",
        method=f"Correlation dissimilarity, {format_count(n_stimuli, 'picture')}. The pictures are compared with "
        "each other, so the intervals are "
        "only a guide.",
        order=410,
    )


def describe_measures(layer: str, agreement: Mapping[str, float]) -> FigureRecord:
    """Words for the picture of measures."""
    least = min(agreement, key=lambda measure: agreement[measure])
    return FigureRecord(
        title="Does it matter how likeness is measured?",
        answer=f"At {layer} little: the measure that agrees least with correlation is {least} "
        f"(rank correlation {agreement[least]:.2f})."
        if agreement[least] > 0.8
        else f"At {layer} it does: {least} orders the pairs differently from correlation "
        f"(rank correlation {agreement[least]:.2f}).",
        explanation="The same activations by four measures. Correlation and cosine compare patterns "
        "whatever their strength; "
        "euclidean and gaussian also see how strong they are.",
        alt=f"Dissimilarity matrices at {layer} by correlation, cosine, euclidean and gaussian.",
        method="Gaussian: 1 - exp(-d² / mean d²), d the euclidean distance. Pictures are shown by "
        "rank, so euclidean and gaussian, "
        "which order pairs alike, look the same.",
        order=420,
    )


def describe_participants(n_participants: int, n_right: int, n_shown: int, layer: str, lapses: float) -> FigureRecord:
    """Words for the picture of simulated answers."""
    return FigureRecord(
        title="What would people be asked about these units?",
        answer="Which of two pictures matches examples that drive a unit. "
        f"{n_participants} simulated participants chose right in {n_right} of {format_count(n_shown, 'trial')} "
        f"({format_share(n_right / n_shown)}; chance is 50 %).",
        explanation="One dot a unit. Where likeness to the examples is not enough to tell, the dot is near chance. The "
        "experiment is ready for you to try: the demo's last lines say how to open it.",
        alt=f"Right answers of {n_participants} simulated participants for each unit, with 95 percent intervals.",
        method="Two-alternative choice with nine references on each side, after Zimmermann, Klein & Brendel (2023), "
        f"taken over HTTP. Participants compare pictures by the activations of {layer}, and guess in "
        f"{100 * lapses:.3g} % of the trials.",
        warnings=("No person took part.",),
        order=520,
    )


def describe_twins(found: MakerComparison, networks: Sequence[str]) -> FigureRecord:
    """Words for the picture of how often the twins' metamers are recognised; ``networks`` are the twins' names."""
    first, second, by = found.first, found.second, found.difference
    told = f"{100 * by.estimate:+.1f} points, 95 % interval {100 * by.low:+.1f} to {100 * by.high:+.1f}"
    if by.low > 0:
        answer = "Yes, those of the adversarially trained twin"
    elif by.high < 0:
        answer = "No, less often those of the adversarially trained twin"
    else:
        answer = "These pictures do not tell"
    judges = [", ".join(each) for each in found.judges]
    return FigureRecord(
        title="Are metamers of the adversarially trained twin recognised more often by other networks?",
        answer=f"{answer}: {format_share(second.estimate)} against {format_share(first.estimate)} of the standard "
        f"twin's ({told}).",
        explanation="Each picture was made from noise until a twin's last layer took it for an original. A network "
        "that relies on what others rely on makes pictures that they recognise.",
        alt=f"Proportion of metamers that other networks name right: standard twin {100 * first.estimate:.0f} percent, "
        f"adversarially trained twin {100 * second.estimate:.0f} percent, with 95 percent intervals.",
        method=f"Metamers at {found.layer} of {format_count(by.n, 'picture')} by "
        f"{' and '.join(networks)}, judged by {judges[0]}, and "
        f"by {judges[1]}. Mean over judges for each picture; the difference picture by picture, its interval by the "
        "BCa bootstrap over pictures. One network of each kind: whether it is the training that makes the difference, "
        "only several networks can tell, as in the seed study of the documentation. After Feather et al. (2023).",
        order=440,
    )


def describe_twin_metamers(layer: str, categories: Sequence[str]) -> FigureRecord:
    """Words for the picture of the twins' metamers."""
    return FigureRecord(
        title="What do the two twins take for the same picture?",
        answer=f"Pictures that {layer} of each twin cannot tell from the original: {', '.join(categories)}.",
        explanation="Below each original a picture that was made from noise for the standard network, and one that was "
        "made for the adversarially trained one.",
        alt="Rows of originals, metamers of the standard network, metamers of the adversarially trained network.",
        method=f"Both networks were trained on the same pictures; matched at {layer}.",
        order=441,
    )
