"""Proves what the demo square promises; every broken promise becomes one readable line."""

import csv
import io
import json
import re
from collections import Counter
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import pyarrow.parquet as pq

LISTINGS, FREE, PAID = 157, 134, 23
TOTAL_LIMIT_BYTES, FILE_MIN_BYTES, FILE_MAX_BYTES = 9_000_000, 2_000, 400_000
# GTFS fixes the names of its tables, and some of them are one line long.
TINY = {"agency.txt", "calendar.txt", "feed_info.txt", "routes.txt"}
THEMES = set(
    "transport environment energy economy education government health housing culture safety population geospatial "
    "meteorology science".split()
)
FREQUENCIES = set("never yearly quarterly monthly weekly daily hourly continuous irregular".split())
KINDS = {"public_sector", "company", "ngo", "individual"}
LICENCES = {"OGDL-Taiwan-1.0", "CC-BY-4.0", "CC0-1.0", "CC-BY-SA-3.0", "MIT"}
CURRENCIES = {"EUR", "DKK", "JPY", "TWD", "USD"}
COMMERCIAL = {"internal_use", "product_use", "research"}
KEYS = set(
    "provider title summary theme tags place bbox temporal update_frequency use_cases personal_data files licence offers".split()
)
LANGUAGES = {"en", "zh-Hant", "ja", "da"}
# Who made a folder's files, and under which terms they may be passed on (the long form is NOTICE.md).
ORIGINS = {
    "data/taipei/*": "OGDL-Taiwan-1.0",
    "data/taiwan/*": "OGDL-Taiwan-1.0",
    "data/fukui/*": "MIT",
    "data/aarhus/*": "CC-BY-4.0",
    "data/kobe/*": "CC-BY-SA-3.0",
    "data/gtfs-jp/*": "CC0-1.0",
    "data/portals/*": "CC-BY-4.0",
    "data/hydro/feeds-by-prefecture.csv": "CC0-1.0",
    "data/hydro/*": "MIT",
    "data/mobility/*": "CC-BY-4.0",
    "data/formosa/*": "OGDL-Taiwan-1.0",
}
CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+|(?<![\w%-])\(?0\d{1,3}\)?-\d{3,4}-\d{4}(?!\d)|(?<![\w%-])\(?0\d{1,2}\)?-\d{6,8}(?!\d)|\b09\d{2}-\d{6}\b"
)


def run(demo):
    """Returns (faults, summary lines) of the folder."""
    faults = []
    square = json.loads((demo / "square.json").read_text("utf-8"))
    notice = (demo / "NOTICE.md").read_text("utf-8") if (demo / "NOTICE.md").exists() else ""
    providers = {provider["key"]: provider for provider in square["providers"]}
    _parties(square, providers, faults)
    for entry in square["listings"]:
        _listing(entry, providers, faults)
    formats = _files(demo, square["listings"], notice, faults)
    return faults, _summary(square, formats, faults)


def _parties(square, providers, faults):
    kinds = Counter(provider["kind"] for provider in providers.values())
    if not 7 <= len(providers) <= 9 or set(kinds) != KINDS or kinds["company"] < 2:
        faults.append(f"providers: {dict(kinds)}")
    if len(square["buyers"]) != 4:
        faults.append("four buyers are expected")
    for party in [*providers.values(), *square["buyers"]]:
        if not party["name"].endswith("(demo)"):
            faults.append(f"{party['name']} is not marked as a demo party")
    counts = Counter(is_paid(entry) for entry in square["listings"])
    if (counts[False], counts[True]) != (FREE, PAID) or len(square["listings"]) != LISTINGS:
        faults.append(f"{counts[False]} free and {counts[True]} paid listings, not {FREE} and {PAID}")
    titles = Counter(entry["title"]["en"] for entry in square["listings"])
    faults += [f"title twice: {title}" for title, number in titles.items() if number > 1]


def is_paid(entry):
    return any(offer["kind"] != "free" for offer in entry["offers"])


def _listing(entry, providers, faults):
    title = entry["title"].get("en", "?")
    expect = {
        "keys": set(entry) == KEYS,
        "theme": entry["theme"] in THEMES,
        "update_frequency": entry["update_frequency"] in FREQUENCIES,
        "personal_data": entry["personal_data"] == "none",
        "provider": entry["provider"] in providers,
        "languages": "en" in entry["summary"] and set(entry["title"]) | set(entry["summary"]) <= LANGUAGES,
        "texts": all(
            text.strip()
            for text in [*entry["title"].values(), *entry["summary"].values(), *entry["use_cases"], *entry["tags"]]
        ),
        "title length": all(len(text) <= 120 for text in entry["title"].values()),
        "credit": entry["licence"] == "CC0-1.0" or " Source: " in entry["summary"]["en"],
        "use cases": bool(entry["use_cases"]),
        "bbox": entry["bbox"] is None or _is_bbox(entry["bbox"]),
        "temporal": entry["temporal"] is None
        or date.fromisoformat(entry["temporal"]["from"]) <= date.fromisoformat(entry["temporal"]["to"]),
    }
    faults += [f"{title}: {name}" for name, holds in expect.items() if not holds]
    origins = {_origin(file["path"]) for file in entry["files"]}
    if is_paid(entry):
        _price(entry, title, providers[entry["provider"]], origins, faults)
    elif entry["licence"] not in LICENCES or origins != {entry["licence"]} or entry["offers"] != [{"kind": "free"}]:
        faults.append(f"{title}: licence {entry['licence']} on files under {origins}")


def _is_bbox(box):
    return -180 <= box[0] <= box[2] <= 180 and -90 <= box[1] <= box[3] <= 90


def _price(entry, title, provider, origins, faults):
    if provider["kind"] != "company":
        faults.append(f"price guard: {title} is priced by {provider['kind']}")
    if any("SA" in (origin or "") or origin is None for origin in origins):
        faults.append(f"{title}: share-alike or unknown data is priced")
    if entry["licence"] is not None:
        faults.append(f"{title}: a priced listing has its terms per offer")
    for offer in entry["offers"]:
        price, term = offer["price_minor"], offer.get("term_months", 1)
        if not isinstance(price, int) or price <= 0 or not isinstance(term, int) or not 1 <= term <= 36:
            faults.append(f"{title}: price or term")
        if offer["kind"] not in ("one_off", "subscription") or (offer["kind"] == "subscription") != (
            "term_months" in offer
        ):
            faults.append(f"{title}: offer kind")
        if offer["currency"] not in CURRENCIES or offer["licence"]["commercial"] not in COMMERCIAL:
            faults.append(f"{title}: currency or commercial licence")


def _origin(path):
    return next((licence for pattern, licence in ORIGINS.items() if fnmatch(path, pattern)), None)


def _files(demo, listings, notice, faults):
    named = Counter(file["path"] for entry in listings for file in entry["files"])
    present = {path.relative_to(demo).as_posix(): path for path in (demo / "data").rglob("*") if path.is_file()}
    faults += [f"{path}: named {number} times" for path, number in named.items() if number > 1]
    faults += [f"{path}: not there" for path in sorted(set(named) - set(present))]
    faults += [f"{path}: not used" for path in sorted(set(present) - set(named))]
    formats, total = Counter(), 0
    for name, path in sorted(present.items()):
        size = path.stat().st_size
        total += size
        if size > FILE_MAX_BYTES or (size < FILE_MIN_BYTES and path.name not in TINY):
            faults.append(f"{name}: {size} bytes")
        if f"`data/{Path(name).parts[1]}/" not in notice:
            faults.append(f"{name}: its folder is missing from NOTICE.md")
        try:
            formats[_format(path)] += 1
        except (ValueError, KeyError, TypeError) as problem:
            faults.append(f"{name}: {problem}")
    formats["bytes"] = total
    if total > TOTAL_LIMIT_BYTES:
        faults.append(f"{total} bytes in all")
    return formats


def _format(path):
    """Parses a file the way its ending promises and names its format; raises ValueError when it cannot."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        if table.num_rows == 0:
            raise ValueError("no rows")
        _contacts(" ".join(str(value) for column in table.columns for value in column.unique().to_pylist()))
        return f"Parquet ({pq.ParquetFile(path).metadata.row_group(0).column(0).compression.lower()})"
    text, encoding = _decode(raw)
    _contacts(text)
    if path.suffix in (".json", ".geojson"):
        return _json_format(json.loads(text), path.suffix)
    rows = list(csv.reader(io.StringIO(text), strict=True))
    widths = {len(row) for row in rows}
    if len(rows) < 2 or len(widths) != 1:
        raise ValueError(f"a table of {len(rows)} lines and widths {sorted(widths)}")
    return "GTFS text" if path.suffix == ".txt" else f"CSV ({encoding})"


def _decode(raw):
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw.decode("utf-8-sig"), "UTF-8 with BOM"
    try:
        return raw.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        pass
    # Kana tell Japanese from Taiwanese text; both code pages accept most of each other's bytes.
    japanese, taiwanese = _try(raw, "cp932"), _try(raw, "cp950")
    if taiwanese is not None and (japanese is None or _halfwidth(japanese)):
        return taiwanese, "Big5"
    if japanese is not None:
        return japanese, "Shift_JIS"
    raise ValueError("no known encoding")


def _try(raw, codec):
    """The text, or None where bytes are invalid or fall into the code page's private-use area."""
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if re.search("[\ue000-\uf8ff]", text) else text


def _halfwidth(text):
    """Big5 read as Shift_JIS shows itself by half-width katakana, which these sources never use."""
    return sum("\uff61" <= letter <= "\uff9f" for letter in text) > len(text) / 100


def _json_format(value, suffix):
    if suffix == ".json":
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise ValueError("not a list of records")
        return "JSON"
    kinds = {feature["geometry"]["type"] for feature in value["features"]}
    if value["type"] != "FeatureCollection" or len(kinds) != 1:
        raise ValueError(f"geometries {sorted(kinds)}")
    return f"GeoJSON ({kinds.pop()})"


def _contacts(text):
    found = CONTACT.search(text)
    if found:
        raise ValueError(f"looks like a contact: {found.group()}")


def _summary(square, formats, faults):
    listings = square["listings"]
    paid = [entry for entry in listings if is_paid(entry)]
    offers = [offer for entry in paid for offer in entry["offers"]]
    total = formats.pop("bytes")
    count = lambda values: ", ".join(f"{name} {number}" for name, number in sorted(Counter(values).items()))
    return [
        f"listings       {len(listings)}: {len(listings) - len(paid)} free, {len(paid)} paid",
        f"providers      {count(provider['kind'] for provider in square['providers'])}; buyers {len(square['buyers'])}",
        f"by provider    {count(entry['provider'] for entry in listings)}",
        f"by theme       {count(entry['theme'] for entry in listings)}",
        f"free licences  {count(entry['licence'] for entry in listings if entry['licence'])}",
        f"paid offers    {len(offers)}: {count(offer['kind'] for offer in offers)}; {count(offer['currency'] for offer in offers)}; "
        f"{sum(len(entry['offers']) > 1 for entry in paid)} listings with two, {sum(offer['approval_required'] for offer in offers)} with approval",
        f"titles         {sum(len(entry['title']) > 1 for entry in listings)} in two languages or more; "
        f"{sum(len(entry['summary']) > 1 for entry in listings)} summaries too",
        f"files          {sum(formats.values())}, {total / 1e6:.2f} MB: {', '.join(f'{name} {number}' for name, number in sorted(formats.items()))}",
        f"price guard    {'kept' if not any('price guard' in fault for fault in faults) else 'BROKEN'}: every price is a company's, none on share-alike data",
        f"faults         {len(faults)}",
    ]
