"""Pictures as addresses that stand in a page, so that nothing has to be loaded beside it."""

import base64
import io

from PIL import Image


def webp_address(picture: Image.Image, *, quality: int | None = None) -> str:
    """A picture as WebP in a ``data:`` address: to the last bit, or with a ``quality`` to 100."""
    buffer = io.BytesIO()
    exact = quality is None
    effort = 75 if exact else quality  # without loss; 100 takes twice as long, and gains nothing
    picture.save(buffer, format="WEBP", lossless=exact, quality=effort, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as PNG, as small as it gets."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
