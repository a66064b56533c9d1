"""Stimuli: sets of pictures and sounds, reading and showing them, and drawn sets. Loads no torch."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "BadFile": "._set",
        "Exposure": "._exposure",
        "HDF5Images": "._arrays",
        "IMAGENET_MEAN_COLOUR": "._image",
        "SHAPE_CATEGORIES": "._shapes",
        "StimulusSet": "._set",
        "apply_alpha_mask": "._exposure",
        "as_stimulus_set": "._coerce",
        "composite_alpha": "._image",
        "decide_category": "._categories",
        "draw_shapes_set": "._shapes",
        "expose_image": "._exposure",
        "get_image_set": "._folder",
        "list_image_extensions": "._folder",
        "list_named_sets": "._named",
        "list_sound_extensions": "._folder",
        "load_categories": "._categories",
        "load_class_categories": "._categories",
        "load_sound": "._sound",
        "load_wnids": "._categories",
        "make_shape_picture": "._shapes",
        "open_image": "._image",
        "pad_border": "._exposure",
        "resample_sound": "._sound",
        "save_picture": "._image",
        "save_sound": "._sound",
        "shift_hue": "._exposure",
        "to_picture": "._arrays",
    },
)
