"""Panel files: lists of models in TOML, and the built-in fourteen."""

from __future__ import annotations

from pathlib import Path

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.catalog._entries import find_alias
from beholder.models.catalog._panel_table import read_builtin, read_panel
from beholder.models.definitions._base import Alias


@suggest_keywords
def load_panel(file: Path | str | None = None, *, run_code: bool = False) -> list[Alias]:
    """Models of a panel file, or the built-in fourteen.

    Parameters
    ----------
    file : path, optional
        A TOML file of ``[[models]]`` tables with the keys

        ``name`` (required)
            What the model is called in files and groups.
        ``source`` (required)
            ``"source:name"``, such as ``"timm:convnext_tiny"``, or a name of the catalog, whose layers and other
            settings then hold unless they are given here. A ``file:`` path is relative to the panel file.
        ``weights``
            A tag of the source, ``"random"``, or a file, relative to the panel file. Default: the source's default.
        ``keys``
            How names in a file of weights become the network's: a table old = new, in order, or a JSON or TOML file
            with one, relative to the panel file; see :func:`~beholder.models.rename_keys`.
        ``layers``
            Recorded layers: a list of module paths or patterns. ``{a,b}`` and ``{0..3}`` are spelled out.
        ``metamer_layers``
            Stages that metamers are made at, where they are not ``layers``.
        ``taps``
            A table: own name = layer expression, with as many ``{...}`` choices on either side.
        ``preprocessing``
            ``"imagenet"``, ``"imagenet-232"``, ``"clip"``, or a table of fields (``resize, crop, crop_mode,
            interpolation, mean, std, ...``) that replace those of the model's own, or those of ``base``.
        ``pooling``
            ``"none"``, ``"mean"``, ``"max"``, ``"cls"`` or ``"center"``.
        ``device``
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"xpu"``, or another that torch knows.
        ``aliases``, ``note``
            Other names, and a remark.
    run_code : bool
        Let the file name Python files (``file:``), which are run when their models are looked at.

    Returns
    -------
    list of Alias
        In the order of the file; ``path_name`` is ``name``.

    Raises
    ------
    InputError
        The file is absent or no TOML, a key is unknown, a value is of the wrong type, a name occurs twice, a model
        would run code and ``run_code`` is off.

    Examples
    --------
    A file ``panel.toml``::

        [[models]]
        name = "ConvNeXt-Tiny"
        source = "timm:convnext_tiny"
        weights = "fb_in1k"
        layers = ["stages.{0..3}"]
        preprocessing = { resize = 256, crop = 224 }
        pooling = "mean"

    >>> [alias.path_name for alias in load_panel()][:2]
    ['ResNet50', 'ResNeXt-101-WSL']
    """
    if file is None:
        return [entry.alias for entry in read_builtin("panel")]
    path = Path(file)
    if not path.is_file():
        raise InputError("a panel file", got=f"no file at {path}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError("a panel file in UTF-8", got=f"{path} ({error})") from error
    folder = path.absolute().parent
    entries = read_panel(text, where=str(path), folder=folder, run_code=run_code, find_alias=find_alias)
    return [entry.alias for entry in entries]
