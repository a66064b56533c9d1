"""The one style, and plots that take arrays and an ax.

Every plot draws into the ``ax`` it is given, or makes a figure of print size of its own, and returns
the axes. No pyplot and no global state: figures are :class:`matplotlib.figure.Figure` objects.
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CHANCE_COLOR": "._style",
        "FigureRecord": "._save",
        "PickerStimulus": "._picker",
        "INK": "._style",
        "NATURAL_COLOR": "._style",
        "OKABE_ITO": "._style",
        "ONE_COLUMN_MM": "._style",
        "PEOPLE_COLOR": "._style",
        "RDM_COLORMAP": "._style",
        "RECORD_SUFFIX": "._save",
        "SYNTHESIZED_COLOR": "._style",
        "TWO_COLUMNS_MM": "._style",
        "add_colorbar": "._rdm",
        "color_of_layer": "._style",
        "colors_of_layers": "._style",
        "colors_of_models": "._style",
        "draw_chance": "._marks",
        "draw_noise_ceiling": "._marks",
        "find_overlaps": "._labels",
        "draw_sound": "._sounds",
        "fit_labels": "._labels",
        "make_figure": "._style",
        "plot_accuracy": "._accuracy",
        "plot_distributions": "._distributions",
        "plot_feature_maps": "._maps",
        "plot_layer_activations": "._layers",
        "plot_network_scatter": "._networks",
        "plot_rdm": "._rdm",
        "plot_rdms": "._rdm",
        "plot_share_matrix": "._networks",
        "plot_shares_by_layer": "._networks",
        "plot_stimulus_rows": "._pictures",
        "rank_rdm": "._rdm",
        "read_figure_record": "._save",
        "render_picker": "._picker",
        "save_figure": "._save",
        "use_style": "._style",
        "wilson_interval": "._accuracy",
    },
)
