"""A picker for notebooks: one stimulus, layer and seed at a time, original and metamer side by side."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords

_STYLE = "display:inline-block;vertical-align:top;margin:4px 12px 4px 0;max-width:100%"
_PICTURE = "display:block;width:{width}px;max-width:100%;height:auto"
_SCRIPT = """
for (const root of document.querySelectorAll('[data-beholder-picker="%s"]')) {
  if (root.dataset.ready) continue;
  root.dataset.ready = "1";
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const selects = [...root.querySelectorAll("select")];
  const parts = (name) => root.querySelector(`[data-part=${name}]`);
  const show = (part, shown) => {
    part.hidden = !shown;
    if (!shown) return;
    part.querySelector("img").src = shown.picture;
    part.querySelector("img").alt = shown.name;
    part.querySelector("figcaption").textContent = shown.name;
    const audio = part.querySelector("audio");
    if (audio) { audio.pause(); audio.src = shown.sound; }
  };
  const pick = () => {
    const [stimulus, layer, seed] = selects.map((select) => select.value);
    const made = data.made[`${stimulus} ${layer} ${seed}`];
    show(parts("original"), data.originals[stimulus]);
    show(parts("metamer"), made);
    parts("facts").textContent = made ? made.facts : "No metamer of this stimulus at this layer with this seed.";
  };
  for (const select of selects) {
    select.disabled = select.options.length < 2;
    select.addEventListener("change", pick);
  }
  const players = [...root.querySelectorAll("audio")];
  for (const player of players) {
    player.addEventListener("play", () => { for (const other of players) if (other !== player) other.pause(); });
  }
}
"""


@final
@dataclass(frozen=True)
class PickerStimulus:
    """What is seen and heard of a stimulus.

    Attributes
    ----------
    picture : str
        Data URI.
    sound : str
        Data URI; empty for pictures.
    name : str
        Written below.
    facts : str
        One line about it.
    """

    picture: str
    sound: str
    name: str
    facts: str = ""


@suggest_keywords
def render_picker(
    head: str,
    originals: Mapping[str, PickerStimulus],
    made: Mapping[tuple[str, str, int], PickerStimulus],
    *,
    rest: str = "",
    width: int = 224,
) -> str:
    """HTML of a picker: menus for stimulus, layer and seed, with a script of its own and nothing from elsewhere.

    Where scripts do not run, the first metamer is seen beside its original.

    Parameters
    ----------
    head, rest : str
        Above and below.
    originals : mapping of str to PickerStimulus
        By stimulus.
    made : mapping of (stimulus, layer, seed) to PickerStimulus
    width : int
        Of each picture in pixels.
    """
    if not made or any(key[0] not in originals for key in made):
        raise InputError("at least one metamer, with its original", got=f"{len(made)} and {len(originals)} originals")
    menus: list[list[Any]] = [list(dict.fromkeys(key[i] for key in made)) for i in range(3)]
    first = next(iter(made))
    places = [{value: i for i, value in enumerate(menu)} for menu in menus]
    data = {
        "originals": {places[0][name]: _to_dict(originals[name]) for name in menus[0]},
        "made": {
            " ".join(str(place[value]) for place, value in zip(places, key, strict=True)): _to_dict(one)
            for key, one in made.items()
        },
    }
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    labels = zip(("Stimulus", "Layer", "Seed"), menus, strict=True)
    choosers = " ".join(_render_menu(label, [str(value) for value in menu]) for label, menu in labels)
    parts = _render_part("original", originals[first[0]], width) + _render_part("metamer", made[first], width)
    below = f"<p>{html.escape(rest)}</p>" if rest else ""
    return (
        f'<div data-beholder-picker="{mark}"><p>{html.escape(head)}</p><p>{choosers}</p>{parts}'
        f'<p data-part="facts" role="status">{html.escape(made[first].facts)}</p>{below}'
        f'<script type="application/json">{text}</script><script>{{{_SCRIPT % mark}}}</script></div>'
    )


def _to_dict(one: PickerStimulus) -> dict[str, str]:
    return {"picture": one.picture, "sound": one.sound, "name": one.name, "facts": one.facts}


def _render_menu(label: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{i}">{html.escape(value)}</option>' for i, value in enumerate(values))
    return f'<label style="margin-right:12px">{label} <select aria-label="{label}">{options}</select></label>'


def _render_part(name: str, one: PickerStimulus, width: int) -> str:
    sound = (
        f'<audio controls preload="none" style="width:{width}px;max-width:100%" src="{html.escape(one.sound)}"></audio>'
        if one.sound
        else ""
    )
    picture = (
        f'<img src="{html.escape(one.picture)}" alt="{html.escape(one.name)}" style="{_PICTURE.format(width=width)}">'
    )
    caption = f"<figcaption>{html.escape(one.name)}</figcaption>"
    return f'<figure data-part="{name}" style="{_STYLE}">{picture}{sound}{caption}</figure>'
