"""The only photograph of the demo's newsroom: a ferry at night, drawn, as the town is invented."""

import io

from PIL import Image, ImageDraw

SIZE = (1200, 800)
_HORIZON = 480


def photo() -> bytes:
    """Return it as a camera would save it, a JPEG that is too large for readers."""
    picture = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(picture)
    for y in range(SIZE[1]):
        depth = y / SIZE[1]
        colour = (12, 22 + int(40 * depth), 52 + int(60 * depth))
        draw.line((0, y, SIZE[0], y), fill=colour if y < _HORIZON else (8, 26, 44))
    draw.ellipse((930, 80, 1030, 180), fill=(246, 240, 214))
    draw.polygon([(0, 480), (160, 400), (380, 450), (560, 480)], fill=(6, 14, 28))
    for step in range(14):  # the moon on the water
        left = 980 - 20 - 5 * step
        draw.rectangle((left, 500 + 20 * step, 1960 - left, 505 + 20 * step), fill=(120, 130, 130))
    draw.polygon([(380, 500), (820, 500), (770, 570), (430, 570)], fill=(150, 36, 30))
    draw.rectangle((460, 430, 730, 500), fill=(232, 232, 224))
    draw.rectangle((520, 380, 660, 430), fill=(214, 214, 206))
    draw.rectangle((590, 320, 630, 380), fill=(150, 36, 30))
    for left in range(480, 720, 40):
        draw.rectangle((left, 450, left + 20, 470), fill=(250, 208, 96))
    saved = io.BytesIO()
    picture.save(saved, "JPEG", quality=90)
    return saved.getvalue()
