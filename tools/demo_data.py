#!/usr/bin/env python3
"""Regenerates `demo/` from a folder of sources, or checks what is there.

    python tools/demo_data.py SOURCES     build demo/data, demo/LICENSES and demo/square.json, then check them
    python tools/demo_data.py --check     only check

`demo/NOTICE.md` documents the layout of SOURCES; that file is written by hand and never touched here.
Needs Python 3.10 or newer and pyarrow 26.0.1: another version writes the same rows in Parquet files of other bytes.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from demo_square import check, square
from demo_square.files import Folder
from demo_square.sources import Sources

DEMO = Path(__file__).resolve().parent.parent / "demo"
LICENCE_TEXTS = {
    "feeds/fukui_river_levels/LICENSE": "MIT-waterlevel_fukui.txt",
    "feeds/taipei_youbike/LICENSE": "MIT-ubike2_taipei_city.txt",
    "catalogues/LICENSE.opendata-tw-list-crawler": "MIT-opendata-tw-list-crawler.txt",
}


def rebuild(source_root, demo):
    """Replaces the generated part of `demo`."""
    shutil.rmtree(demo / "data", ignore_errors=True)
    description = square.build(Sources(source_root), Folder(demo))
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (demo / "square.json").write_text(text + "\n", "utf-8")
    (demo / "LICENSES").mkdir(exist_ok=True)
    for source, name in LICENCE_TEXTS.items():
        shutil.copyfile(source_root / source, demo / "LICENSES" / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="?", type=Path, help="folder laid out as demo/NOTICE.md says")
    parser.add_argument("--check", action="store_true", help="prove the properties of what is there")
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder to write and check")
    arguments = parser.parse_args()
    if arguments.sources:
        arguments.demo.mkdir(parents=True, exist_ok=True)
        rebuild(arguments.sources, arguments.demo)
    elif not arguments.check:
        parser.error("give a folder of sources, or --check")
    faults, summary = check.run(arguments.demo)
    print("\n".join(summary))
    for fault in faults:
        print("FAULT", fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
