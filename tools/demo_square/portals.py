"""Slices of the world's register of data portals. CC BY 4.0."""

from collections import Counter

import pyarrow as pa

from .listing import listing

LICENCE = "CC-BY-4.0"
AS_OF = ("2026-08-22", "2026-08-22")

# slug, country, catalogue type or software kept (None: all), place, titles
SLICES = [
    ("denmark", "DK", None, "Denmark", {"en": "Data portals of Denmark", "da": "Dataportaler i Danmark"}),
    ("norway", "NO", None, "Norway", {"en": "Data portals of Norway", "da": "Dataportaler i Norge"}),
    (
        "sweden",
        "SE",
        "Open data portal",
        "Sweden",
        {"en": "Open data portals of Sweden", "da": "Åbne dataportaler i Sverige"},
    ),
    ("finland", "FI", None, "Finland", {"en": "Data portals of Finland", "da": "Dataportaler i Finland"}),
    (
        "japan",
        "JP",
        "Open data portal",
        "Japan",
        {"en": "Open data portals of Japan", "ja": "日本のオープンデータポータル"},
    ),
    ("taiwan", "TW", None, "Taiwan", {"en": "Data portals of Taiwan", "zh-Hant": "臺灣的資料平臺"}),
    ("korea", "KR", None, "South Korea", {"en": "Data portals of South Korea", "ja": "韓国のデータポータル"}),
    ("canada", "CA", "ckan", "Canada", {"en": "CKAN portals of Canada", "zh-Hant": "加拿大的 CKAN 平臺"}),
]
FLAT_SCHEMA = [
    ("uid", pa.string()),
    ("name", pa.string()),
    ("link", pa.string()),
    ("country", pa.string()),
    ("catalog_type", pa.string()),
    ("owner", pa.string()),
    ("owner_type", pa.string()),
    ("status", pa.string()),
]


def listings(sources, folder):
    return [_country(sources, folder, *row) for row in SLICES] + [_ckan(sources, folder)]


def _country(sources, folder, slug, country, kind, place, title):
    rows = [
        row for row in sources.portals
        if country in row["countries"] and kind in (None, row["catalog_type"], row["software"])
    ]  # fmt: skip
    owner, owned = Counter(row["owner_type"] for row in rows).most_common(1)[0]
    with_address = sum(bool(row["endpoints"]) for row in rows)
    facts = {
        "en": f"{len(rows)} portals as of August 2026 with owner, software and machine addresses; {with_address} offer at least "
        f"one endpoint, and the most frequent kind of owner is “{owner}” ({owned}).",
    }
    if "da" in title:
        facts["da"] = (
            f"{len(rows)} portaler pr. august 2026 med ejer, software og maskinadresser; {with_address} har mindst ét endepunkt."
        )
    if "ja" in title:
        facts["ja"] = (
            f"2026年8月時点の{len(rows)}サイト。運営者、ソフトウェア、APIの所在を収録し、{with_address}件に機械可読の接続先がある。"
        )
    if "zh-Hant" in title:
        facts["zh-Hant"] = (
            f"2026 年 8 月共 {len(rows)} 個平臺的擁有者、軟體與介接位址,其中 {with_address} 個至少有一個端點。"
        )
    return listing(
        "cartographer",
        title,
        facts,
        "science" if slug in ("norway", "finland", "korea") else "government",
        ["open data", "portals", "endpoints", slug],
        [folder.json(f"portals/{slug}.json", rows)],
        place=place,
        temporal=AS_OF,
        update_frequency="quarterly",
        use_cases=[f"Choose which catalogues of {place} to harvest first"],
        licence=LICENCE,
    )


def _ckan(sources, folder):
    rows = [row | {"country": row["countries"][0]} for row in sources.portals if row["software"] == "ckan"]
    countries = len({row["country"] for row in rows})
    return listing(
        "cartographer",
        {"en": "CKAN portals of the world", "da": "Verdens CKAN-portaler", "ja": "世界のCKANポータル"},
        {
            "en": f"{len(rows):,} catalogues that run CKAN, in {countries} countries and regions, with owner and address.",
            "da": f"{len(rows)} kataloger med CKAN i {countries} lande og regioner, med ejer og adresse.",
        },
        "government",
        ["open data", "portals", "ckan"],
        [folder.parquet("portals/ckan-world.parquet", rows, FLAT_SCHEMA)],
        place="World",
        temporal=AS_OF,
        update_frequency="quarterly",
        use_cases=["Plan a federation of city catalogues", "Estimate how far one harvester reaches"],
        licence=LICENCE,
    )
