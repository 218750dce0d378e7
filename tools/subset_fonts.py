"""Cuts the fonts of `crates/documents/fonts` out of Noto, for the PDF writer.

Needs fonttools, and Debian's `fonts-noto-core` and `fonts-noto-cjk` (or folders with the same files). Run it when the
set of characters has to change; the result is committed, so that a build needs neither Python nor the network.

    python3 tools/subset_fonts.py [--core DIR] [--cjk DIR] [--out crates/documents/fonts]

What each file covers:
- `NotoSans-Regular.ttf`, `NotoSans-Bold.ttf`: Latin with all European letters, Greek, Cyrillic, punctuation, currencies.
- `NotoSansJP-Regular.otf`: JIS X 0208 (kana, kanji of levels 1 and 2, full-width forms), in Japanese glyph shapes.
- `NotoSansTC-Regular.otf`: Big5 (both levels), in the shapes used in Taiwan.
"""

import argparse
import sys
from pathlib import Path

from fontTools import subset

EUROPEAN_RANGES = [
    (0x0020, 0x007E),
    (0x00A0, 0x024F),
    (0x02B0, 0x02DD),
    (0x0300, 0x030C),
    (0x0370, 0x03FF),
    (0x0400, 0x045F),
    (0x0490, 0x0491),
    (0x1E00, 0x1EFF),
    (0x1F00, 0x1FFF),
    (0x2010, 0x2027),
    (0x2030, 0x203A),
    (0x2070, 0x209C),
    (0x20A0, 0x20BF),
    (0x2116, 0x2122),
    (0x2212, 0x2212),
]
# The order of the fonts inside Debian's TTC files: JP, KR, SC, TC, HK.
JAPANESE_FACE = 0
TAIWANESE_FACE = 3
# Layout tables the PDF writer does not read: it places one glyph a character.
DROPPED_TABLES = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "kern", "DSIG"]


def european() -> set[int]:
    return {c for low, high in EUROPEAN_RANGES for c in range(low, high + 1)}


def two_byte(codec: str, lead: range, trail: list[int]) -> set[int]:
    """The characters of a two-byte character set, as Python's codec of it knows them."""
    found = set()
    for high in lead:
        for low in trail:
            try:
                found.add(ord(bytes([high, low]).decode(codec)))
            except (UnicodeDecodeError, TypeError):
                continue
    return found


def jis_x_0208() -> set[int]:
    return two_byte("euc_jp", range(0xA1, 0xFF), list(range(0xA1, 0xFF)))


def big5() -> set[int]:
    return two_byte("cp950", range(0xA1, 0xFA), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])


# Marks and forms that are common beside the two character sets: full-width and half-width forms, enclosed company
# abbreviations, circled numbers, Roman numerals and variants that names use.
EAST_ASIAN_EXTRAS = {*range(0x2460, 0x2474), *range(0x2160, 0x216C), *range(0x3000, 0x3040), *range(0x30A0, 0x3100)} | {
    *range(0xFF01, 0xFFA0),
    *range(0xFFE0, 0xFFE7),
    *range(0x3220, 0x3244),
    *range(0x337B, 0x337F),
    *map(ord, "髙﨑濵塚德彅堃喆煊峯瑠"),
}


def cut(source: Path, face: int, characters: set[int], target: Path) -> None:
    options = subset.Options()
    options.font_number = face
    options.layout_features = []
    options.hinting = False
    options.drop_tables = [*options.drop_tables, *DROPPED_TABLES]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    # Same input, same bytes: no time of the run in the file.
    font["head"].modified = font["head"].created
    font.recalcTimestamp = False
    subset.save_font(font, str(target), options)
    print(f"{target}: {target.stat().st_size} bytes, {len(font.getBestCmap())} characters")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", type=Path, default=Path("/usr/share/fonts/truetype/noto"))
    parser.add_argument("--cjk", type=Path, default=Path("/usr/share/fonts/opentype/noto"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "crates/documents/fonts")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for weight in ("Regular", "Bold"):
        cut(arguments.core / f"NotoSans-{weight}.ttf", -1, european(), arguments.out / f"NotoSans-{weight}.ttf")
    collection = arguments.cjk / "NotoSansCJK-Regular.ttc"
    cut(collection, JAPANESE_FACE, jis_x_0208() | EAST_ASIAN_EXTRAS, arguments.out / "NotoSansJP-Regular.otf")
    cut(collection, TAIWANESE_FACE, big5() | EAST_ASIAN_EXTRAS, arguments.out / "NotoSansTC-Regular.otf")
    return 0


if __name__ == "__main__":
    sys.exit(main())
