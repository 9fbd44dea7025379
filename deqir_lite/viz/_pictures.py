"""Pictures as addresses that stand in a page, so that nothing has to be loaded beside it."""

import base64
import io

from PIL import Image


def webp_address(picture: Image.Image, *, lossless: bool = True) -> str:
    """A picture as WebP in a ``data:`` address: to the last bit, or nearly."""
    buffer = io.BytesIO()
    quality = 100 if lossless else 90  # of what is lossless, the effort
    picture.save(buffer, format="WEBP", lossless=lossless, quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as PNG, as small as it gets."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
