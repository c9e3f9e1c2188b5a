"""Writes test/goldens/pictures/pictures.json: small pictures of many kinds, and Pillow's convert('RGB') of each.

Pillow writes most of them. Kinds that it can't write are made of its files by changing a few bytes, or chunk by chunk.

Run with Debian's Python (Pillow 9.4): /usr/bin/python3 scripts/goldens/pictures.py
"""

import base64
import io
import json
import pathlib
import struct
import warnings
import zlib

import PIL
from PIL import Image

warnings.simplefilter("ignore")
WIDTH, HEIGHT = 19, 13
PIXELS = WIDTH * HEIGHT


def samples(channels, step=1):
    """Ramps that run in other directions in each channel, with all bytes from 0 to 255 in them."""
    return bytes(
        (x * 11 * (c + 1) + y * 17 + c * 60 + (x * y * step) % 7) % 256
        for y in range(HEIGHT)
        for x in range(WIDTH)
        for c in range(channels)
    )


def image(mode, step=1):
    return Image.frombytes(mode, (WIDTH, HEIGHT), samples(len(mode), step))


RGB, RGBA, GREY, GREY_ALPHA, CMYK = image("RGB"), image("RGBA"), image("L"), image("LA"), image("CMYK")


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(bits, color_type, channels, transparency=None):
    """A PNG that Pillow doesn't write: 16 bits, the low byte unlike the high one."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, color_type, 0, 0, 0)
    row = (WIDTH * channels * bits + 7) // 8
    data = b"".join(b"\0" + bytes((i * 37 + y * 91) % 256 for i in range(row)) for y in range(HEIGHT))
    chunks = [(b"IHDR", header)] + ([(b"tRNS", transparency)] if transparency else [])
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)


def with_gamma(file):
    return file[:33] + chunk(b"gAMA", struct.pack(">I", 100000)) + file[33:]


def with_adobe(file, transform):
    """A JPEG whose Adobe segment says which transform its colours went through: 0 none, 1 YCC, 2 YCCK."""
    at = file.find(b"\xff\xee\0\x0eAdobe")
    segment = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    return file[:2] + segment + file[2:] if at < 0 else file[:at] + segment + file[at + len(segment) :]


def without_adobe(file):
    at = file.find(b"\xff\xee\0\x0eAdobe")
    return file[:at] + file[at + 16 :]


jpeg, cmyk_jpeg = saved(RGB, "JPEG", quality=90), saved(CMYK, "JPEG", quality=90)
palette = RGB.quantize(200)
orientation = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
grey16 = Image.new("I", (WIDTH, HEIGHT))
grey16.putdata([i * 263 for i in range(PIXELS)])

FILES = {
    "a JPEG, 4:2:0": jpeg,
    "a JPEG, 4:2:2": saved(RGB, "JPEG", subsampling=1),
    "a JPEG, 4:4:4": saved(RGB, "JPEG", subsampling=0, quality=95),
    "a progressive JPEG": saved(RGB, "JPEG", progressive=True),
    "a JPEG of poor quality": saved(RGB, "JPEG", quality=5),
    "a JPEG with an orientation": saved(RGB, "JPEG", exif=orientation),
    "a JPEG of RGB": with_adobe(saved(RGB, "JPEG", subsampling=0), 0),
    "a grey JPEG": saved(GREY, "JPEG"),
    "a CMYK JPEG": cmyk_jpeg,
    "a CMYK JPEG without Adobe's segment": without_adobe(cmyk_jpeg),
    "a YCCK JPEG": with_adobe(cmyk_jpeg, 2),
    "a PNG": saved(RGB, "PNG"),
    "a PNG with gamma": with_gamma(saved(RGB, "PNG")),
    "a PNG with a transparent colour": saved(RGB, "PNG", transparency=RGB.getpixel((3, 2))),
    "a PNG with alpha": saved(RGBA, "PNG"),
    "a PNG of 16 bits": png(16, 2, 3),
    "a PNG of 16 bits with a transparent colour": png(16, 2, 3, b"\0\x25\x4a\x6f\x94\xb9"),
    "a PNG of 16 bits with alpha": png(16, 6, 4),
    "a grey PNG": saved(GREY, "PNG"),
    "a grey PNG with a transparent value": saved(GREY, "PNG", transparency=GREY.getpixel((3, 2))),
    "a grey PNG with alpha": saved(GREY_ALPHA, "PNG"),
    "a grey PNG of 16 bits with alpha": png(16, 4, 2),
    "a PNG of 1 bit": saved(GREY.convert("1"), "PNG"),
    "a grey PNG of 2 bits": png(2, 0, 1),
    "a grey PNG of 4 bits": png(4, 0, 1),
    "a PNG of 200 colours": saved(palette, "PNG"),
    "a PNG of 7 colours": saved(RGB.quantize(7), "PNG"),
    "a PNG of 2 colours": saved(RGB.quantize(2), "PNG"),
    "a PNG with a transparent index": saved(palette, "PNG", transparency=5),
    "a PNG with alpha for each index": saved(RGB.quantize(16), "PNG", transparency=bytes(range(0, 256, 17))),
    "a WebP": saved(RGB, "WEBP", quality=80),
    "a WebP without loss": saved(RGB, "WEBP", lossless=True),
    "a WebP with alpha": saved(RGBA, "WEBP", quality=80),
    "a WebP with alpha and hidden colours": saved(RGBA, "WEBP", lossless=True, exact=True),
    "an animated WebP": saved(RGB, "WEBP", save_all=True, append_images=[image("RGB", 3)]),
    "a GIF": saved(palette, "GIF"),
    "a grey GIF": saved(GREY, "GIF"),
    "an animated GIF": saved(palette, "GIF", save_all=True, append_images=[image("RGB", 3).quantize(200)]),
    "a GIF with a transparent index that no pixel has": saved(RGB.quantize(7), "GIF", transparency=200),
}

# What the command line refuses, since it would come out unlike Pillow, or as nothing that one could use.
REFUSED = {
    "a GIF with transparent pixels": saved(palette, "GIF", transparency=5),
    "a grey PNG of 16 bits": saved(grey16, "PNG"),
    "a grey PNG of 16 bits with a transparent value": png(16, 0, 1, b"\0\x25"),
    "a BMP": saved(RGB, "BMP"),
    "a PPM": saved(RGB, "PPM"),
    "a TIFF": saved(RGB, "TIFF"),
}


def encoded(data):
    return base64.b64encode(data).decode()


def golden(file):
    picture = Image.open(io.BytesIO(file))
    rgb = picture.convert("RGB").tobytes()
    return {"mode": picture.mode, "size": picture.size, "file": encoded(file), "rgb": encoded(rgb)}


lines = {
    "pillow": json.dumps(PIL.__version__),
    "equal": "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(golden(v))}" for k, v in FILES.items()) + "\n}",
    "refused": "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(encoded(v))}" for k, v in REFUSED.items()) + "\n}",
}
target = pathlib.Path(__file__).resolve().parents[2] / "test/goldens/pictures/pictures.json"
target.parent.mkdir(exist_ok=True)
target.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {v}" for k, v in lines.items()) + "\n}\n")
