"""Photos on disk <-> image tensors (B, 3, H, W) with values in [-1, 1]."""

from deqir_lite.images.encoding import PICTURE_ENDINGS
from deqir_lite.images.files import allow_pixels
from deqir_lite.images.photo_files import Frame, PhotoFile, write_photo
from deqir_lite.images.photos import PHOTO_ENDINGS, SMALLEST_SIDE, load_photo, read_photo
from deqir_lite.images.pictures import save_image, to_picture, to_uint8, to_unit_range
from deqir_lite.images.sheets import in_rows, side_by_side

__all__ = [
    "PHOTO_ENDINGS",
    "PICTURE_ENDINGS",
    "SMALLEST_SIDE",
    "Frame",
    "PhotoFile",
    "allow_pixels",
    "in_rows",
    "load_photo",
    "read_photo",
    "save_image",
    "side_by_side",
    "to_picture",
    "to_uint8",
    "to_unit_range",
    "write_photo",
]
