"""River levels of Fukui prefecture during the flood of August 2021. MIT."""

import pyarrow as pa

from .files import bbox, point
from .listing import listing
from .sources import FUKUI_DAYS, level_m

LICENCE = "MIT"
WEEK = (FUKUI_DAYS[0], FUKUI_DAYS[-1])
RIVERS = {
    "九頭竜川": ("Kuzuryū", "kuzuryu"),
    "日野川": ("Hino", "hino"),
    "竹田川": ("Takeda", "takeda"),
    "足羽川": ("Asuwa", "asuwa"),
    "真名川": ("Mana", "mana"),
    "浅水川": ("Asōzu", "asozu"),
    "南川": ("Minami", "minami"),
}
STATIONS = {
    "1": ("Tsukumo bridge", "tsukumo"),
    "206": ("Nakatsuno", "nakatsuno"),
    "212": ("Fuseda", "fuseda"),
    "93": ("Imajō", "imajo"),
    "213": ("Mikuni", "mikuni"),
}
PLACES = {"福井市": ("Fukui City", "fukui-city"), "大野市": ("Ōno City", "ono-city")}
RAW_SCHEMA = [("日時", pa.string()), ("河川水位", pa.string()), ("id", pa.string())]
SENSOR_COLUMNS = [
    "id", "所在地", "河川名", "観測所名", "管理者名",
    "はん濫危険水位", "避難判断水位", "はん濫注意水位", "水防団待機水位", "緯度", "経度", "geo3x3", "url",
]  # fmt: skip


def listings(sources, folder):
    entries = [_day(sources, folder, day) for day in FUKUI_DAYS]
    entries.append(_network(sources, folder))
    entries += [_river(sources, folder, river, *names) for river, names in RIVERS.items()]
    entries += [_station(sources, folder, sensor, *names) for sensor, names in STATIONS.items()]
    entries += [_municipality(sources, folder, place, *names) for place, names in PLACES.items()]
    return entries


def _positions(sensors):
    return bbox([(sensor["経度"], sensor["緯度"]) for sensor in sensors])


def _day(sources, folder, day):
    rows = sources.river_day(day)
    missing = sum(level_m(row["河川水位"]) is None for row in rows)
    number = int(day[-2:])
    if number == 14:
        # The shortest day stays exactly as published: UTF-8 with a byte order mark, 24:00 and * included.
        files = [folder.csv(f"fukui/levels-{day}.csv", rows, encoding="utf-8-sig")]
    else:
        codec = "snappy" if number == 15 else "zstd"
        files = [folder.parquet(f"fukui/levels-{day}.parquet", rows, RAW_SCHEMA, codec)]
    return listing(
        "fukui",
        {"en": f"River levels in Fukui, {number} August 2021", "ja": f"福井県の河川水位 2021年8月{number}日"},
        {
            "en": f"{len(rows):,} readings, most of them ten minutes apart, from {len({row['id'] for row in rows})} gauges as published, among them "
            f"{missing} marked as missing.",
            "ja": f"県内{len({row['id'] for row in rows})}観測所の主に10分ごとの河川水位{len(rows):,}件。欠測{missing}件を含む公開時のままのデータ。",
        },
        "environment",
        ["rivers", "water level", "flood", "sensors"],
        files,
        place="Fukui prefecture",
        bbox=_positions(sources.sensors),
        temporal=(day, day),
        use_cases=["Replay a flood day against an alerting rule", "Test a reader against 24:00 and missing marks"],
        licence=LICENCE,
    )


def _network(sources, folder):
    sensors = sources.sensors
    warned = sum(bool(sensor["はん濫注意水位"]) for sensor in sensors)
    features = [point(row["経度"], row["緯度"], {key: row[key] for key in SENSOR_COLUMNS[:9]}) for row in sensors]
    return listing(
        "fukui",
        {"en": "River gauges of Fukui prefecture with alert thresholds", "ja": "福井県の水位観測所一覧(基準水位付き)"},
        {
            "en": f"Where the {len(sensors)} gauges stand, which river they watch and at which level each warning begins; "
            f"{warned} have a flood-watch level.",
            "ja": f"県内{len(sensors)}か所の水位観測所の位置、河川名と基準水位。うち{warned}か所にはん濫注意水位が定められている。",
        },
        "safety",
        ["rivers", "gauges", "thresholds", "flood"],
        [
            folder.geojson("fukui/gauges.geojson", features),
            folder.csv("fukui/gauges.csv", sensors, SENSOR_COLUMNS, "cp932", "水位観測所一覧.csv"),
        ],
        place="Fukui prefecture",
        bbox=_positions(sensors),
        update_frequency="irregular",
        use_cases=["Draw gauges on a flood map", "Send a message when a river passes its warning level"],
        licence=LICENCE,
    )


def _week(sources, wanted):
    return [row for day in FUKUI_DAYS for row in sources.river_day(day) if row["id"] in wanted]


def _highest(rows):
    return max(rows, key=lambda row: level_m(row["河川水位"]) or float("-inf"))


def _river(sources, folder, river, name, slug):
    sensors = {row["id"]: row for row in sources.sensors if row["河川名"] == river}
    rows = [
        {"日時": row["日時"], "観測所名": sensors[row["id"]]["観測所名"], "河川水位": row["河川水位"], "id": row["id"]}
        for row in _week(sources, sensors)
    ]
    if len(sensors) > 4:
        schema = [("日時", pa.string()), ("観測所名", pa.string()), ("河川水位", pa.string()), ("id", pa.string())]
        files = [folder.parquet(f"fukui/river-{slug}.parquet", rows, schema)]
    else:
        files = [folder.csv(f"fukui/river-{slug}.csv", rows, encoding="cp932", name=f"{river}_2021-08.csv")]
    return listing(
        "fukui",
        {"en": f"{name} river levels, 14–20 August 2021", "ja": f"{river}の水位 2021年8月14日〜20日"},
        {
            "en": f"Levels at the {len(sensors)} gauges along the {name} river, every ten minutes or every hour, {len(rows):,} readings "
            "of the rainy week of August 2021.",
            "ja": f"{river}の{len(sensors)}観測所における1週間の水位(10分または1時間ごと)、{len(rows):,}件。2021年8月の大雨時の記録。",
        },
        "environment",
        ["rivers", "water level", "flood", slug],
        files,
        place=f"{name} river, Fukui",
        bbox=_positions(sensors.values()),
        temporal=WEEK,
        use_cases=[f"Follow the flood crest down the {name}", "Calibrate a river routing model"],
        licence=LICENCE,
    )


def _station(sources, folder, sensor_id, name, slug):
    sensor = next(row for row in sources.sensors if row["id"] == sensor_id)
    rows = _week(sources, {sensor_id})
    top = _highest(rows)
    watch = f", {sensor['はん濫注意水位']} m being the flood-watch level" if sensor["はん濫注意水位"] else ""
    river = RIVERS[sensor["河川名"]][0]
    gauge = sensor["観測所名"].split("-")[0]
    return listing(
        "fukui",
        {
            "en": f"{name} gauge on the {river} river, 14–20 August 2021",
            "ja": f"{sensor['河川名']} {gauge}観測所の水位 2021年8月14日〜20日",
        },
        {
            "en": f"{len(rows)} readings at one gauge; the week's highest was {top['河川水位']} m at {top['日時'].replace('T', ' ')}{watch}.",
            "ja": f"1観測所の10分水位{len(rows)}件。期間中の最高は{top['日時'].replace('T', ' ')}の{top['河川水位']}m。",
        },
        "environment",
        ["rivers", "water level", "gauge", slug],
        [folder.csv(f"fukui/gauge-{slug}.csv", rows, encoding="cp932", name=f"{gauge}.csv")],
        place=f"{name}, Fukui",
        bbox=_positions([sensor]),
        temporal=WEEK,
        use_cases=[f"Show the hydrograph at {name} on a local page"],
        licence=LICENCE,
    )


def _municipality(sources, folder, place, name, slug):
    sensors = [row for row in sources.sensors if row["所在地"].startswith(place)]
    rivers = len({row["河川名"] for row in sensors})
    return listing(
        "fukui",
        {"en": f"River gauges in {name}", "ja": f"{place}の水位観測所"},
        {
            "en": f"The {len(sensors)} gauges on {rivers} rivers inside {name}, with office in charge, thresholds and position.",
            "ja": f"{place}内の{rivers}河川、{len(sensors)}観測所の管理者、基準水位、位置。",
        },
        "safety",
        ["rivers", "gauges", "thresholds", slug],
        [folder.csv(f"fukui/gauges-{slug}.csv", sensors, SENSOR_COLUMNS, "cp932", f"{place}_水位観測所.csv")],
        place=f"{name}, Fukui",
        bbox=_positions(sensors),
        update_frequency="irregular",
        use_cases=[f"List the gauges a {name} flood plan depends on"],
        licence=LICENCE,
    )
