"""What the Japanese company sells: cleaned and derived river data, and the state of bus feeds."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pyarrow as pa

from .files import bbox, point
from .fukui import WEEK
from .listing import listing, one_off, subscription
from .sources import FUKUI_DAYS, level_m

TAGS = ["rivers", "water level", "flood"]
THRESHOLDS = ["水防団待機水位", "はん濫注意水位", "避難判断水位", "はん濫危険水位"]
STAGES = ["normal", "standby", "flood_watch", "evacuation", "danger"]


def listings(sources, folder):
    series = clean_series(sources)
    gauges = {row["id"]: row for row in sources.sensors}
    return [
        _cleaned(folder, gauges, series),
        _hourly(folder, gauges, series),
        _stages(folder, gauges, series),
        _rises(folder, gauges, series),
        _crests(folder, gauges, series),
        _matrix(folder, gauges, series),
        _quality(sources, folder, gauges, series),
        _feeds(sources, folder),
        _sample(folder, gauges, series),
    ]


def clean_series(sources):
    """{gauge id: [(time, level_m)]}: 24:00 becomes the next day's 00:00, missing marks and repeats go."""
    series = defaultdict(dict)
    for day in FUKUI_DAYS:
        for row in sources.river_day(day):
            level = level_m(row["河川水位"])
            if level is not None:
                series[row["id"]][_time(row["日時"])] = level
    return {
        sensor: sorted(readings.items()) for sensor, readings in sorted(series.items(), key=lambda item: int(item[0]))
    }


def _time(text):
    day, clock = text.split("T")
    hours, minutes = map(int, clock.split(":"))
    return datetime.fromisoformat(day) + timedelta(hours=hours, minutes=minutes)


def _iso(time):
    return time.isoformat(timespec="minutes") + "+09:00"


def _who(gauges, sensor):
    gauge = gauges[sensor]
    return {"gauge_id": int(sensor), "gauge": gauge["観測所名"], "river": gauge["河川名"]}


def _where(gauges):
    return bbox([(gauge["経度"], gauge["緯度"]) for gauge in gauges.values()])


def _entry(gauges, title, summary, files, use_cases, offers, **more):
    facts = {
        "place": "Fukui prefecture", "bbox": _where(gauges), "temporal": WEEK, "theme": "environment", "tags": TAGS,
    } | more  # fmt: skip
    theme, tags = facts.pop("theme"), facts.pop("tags")
    return listing("hydro", title, summary, theme, tags, files, use_cases=use_cases, offers=offers, **facts)


CLEAN_SCHEMA = [
    ("time", pa.timestamp("s", "Asia/Tokyo")),
    ("gauge_id", pa.int32()),
    ("river", pa.string()),
    ("level_m", pa.float32()),
    ("lat", pa.float64()),
    ("lon", pa.float64()),
]


def _cleaned_rows(gauges, series):
    # Japan keeps UTC+9 all year, so the offset is a constant.
    for sensor, readings in series.items():
        gauge = gauges[sensor]
        for time, level in readings:
            yield {
                "time": time - timedelta(hours=9), "gauge_id": int(sensor), "river": gauge["河川名"],
                "level_m": level, "lat": gauge["緯度"], "lon": gauge["経度"],
            }  # fmt: skip


def _cleaned(folder, gauges, series):
    rows = list(_cleaned_rows(gauges, series))
    return _entry(
        gauges,
        {"en": "Fukui river levels, cleaned and positioned", "ja": "福井県河川水位(整備済み・位置付き)"},
        {
            "en": f"{len(rows):,} levels of {len(series)} gauges in one table: times in a real time zone instead of 24:00, "
            "missing marks removed, every row with river and position. Later floods follow to subscribers.",
            "ja": f"{len(series)}観測所、{len(rows):,}件の水位。24時表記や欠測記号を整え、河川名と座標を付与した。",
        },
        [folder.parquet("hydro/levels-clean.parquet", rows, CLEAN_SCHEMA)],
        ["Train a flood model without a week of cleaning", "Feed a digital twin of the basin"],
        [
            one_off(98_000, "JPY", "internal_use"),
            subscription(12, 248_000, "JPY", "product_use"),
        ],
        update_frequency="weekly",
    )


def _by_hour(readings):
    hours = defaultdict(list)
    for time, level in readings:
        hours[time.replace(minute=0)].append((time, level))
    return hours


HOURLY_SCHEMA = [
    ("hour", pa.timestamp("s", "Asia/Tokyo")), ("gauge_id", pa.int32()), ("readings", pa.int16()), ("min_m", pa.float32()),
    ("mean_m", pa.float32()), ("max_m", pa.float32()), ("rise_m_per_h", pa.float32()),
]  # fmt: skip


def _hourly(folder, gauges, series):
    rows = []
    for sensor, readings in series.items():
        for hour, part in sorted(_by_hour(readings).items()):
            levels = [level for _, level in part]
            minutes = (part[-1][0] - part[0][0]).total_seconds() / 60
            rows.append({
                "hour": hour - timedelta(hours=9), "gauge_id": int(sensor), "readings": len(levels), "min_m": min(levels),
                "mean_m": round(sum(levels) / len(levels), 3), "max_m": max(levels),
                "rise_m_per_h": round((levels[-1] - levels[0]) * 60 / minutes, 3) if minutes else None,
            })  # fmt: skip
    steepest = max(
        (row for row in rows if row["rise_m_per_h"] is not None and row["readings"] >= 4),
        key=lambda row: row["rise_m_per_h"],
    )
    gauge = gauges[str(steepest["gauge_id"])]
    return _entry(
        gauges,
        {
            "en": "Hourly river levels and rates of rise, Fukui flood 2021",
            "ja": "福井県 時間水位と上昇速度(2021年8月出水)",
        },
        {
            "en": f"Lowest, mean and highest level and the rate of rise for {len(rows):,} gauge-hours. The steepest full hour rose "
            f"{steepest['rise_m_per_h']:.2f} m/h at gauge {gauge['観測所名']}.",
            "ja": f"観測所ごとの1時間最低・平均・最高水位と上昇速度、{len(rows):,}件。",
        },
        [folder.parquet("hydro/hourly.parquet", rows, HOURLY_SCHEMA, "snappy")],
        ["Set rise-rate alarms from a real flood", "Compare catchments by how fast they answer rain"],
        [one_off(64_000, "JPY", "internal_use"), one_off(120_000, "JPY", "product_use")],
    )


def _stage(gauge, level):
    passed = [index + 1 for index, name in enumerate(THRESHOLDS) if gauge[name] and level >= float(gauge[name])]
    return STAGES[max(passed, default=0)]


def _stages(folder, gauges, series):
    rows = []
    for sensor, readings in series.items():
        gauge, start = gauges[sensor], None
        if not any(gauge[name] for name in THRESHOLDS):
            continue
        for time, level in readings:
            stage = _stage(gauge, level)
            if start and stage != start[1]:
                rows.append(_spell(gauges, sensor, start, time))
            if not start or stage != start[1]:
                start = [time, stage, level]
            start[2] = max(start[2], level)
        rows.append(_spell(gauges, sensor, start, readings[-1][0]))
    above = sum(row["stage"] != "normal" for row in rows)
    return _entry(
        gauges,
        {"en": "Warning stages timeline, Fukui flood 2021", "ja": "基準水位超過の経過(福井県 2021年8月出水)"},
        {
            "en": f"When each gauge entered and left every warning stage: {len(rows)} spells, {above} of them above normal, with "
            "duration and highest level.",
            "ja": f"各観測所がどの基準水位をいつ超え、いつ下回ったかを示す{len(rows)}区間(うち超過{above})。",
        },
        [folder.csv("hydro/stages.csv", rows, encoding="utf-8-sig")],
        ["Rate how long an evacuation notice would have stood", "Price parametric flood cover"],
        [one_off(72_000, "JPY", "internal_use", approval_required=True)],
        theme="safety",
    )


def _spell(gauges, sensor, start, end):
    minutes = int((end - start[0]).total_seconds() // 60)
    return _who(gauges, sensor) | {
        "stage": start[1], "from": _iso(start[0]), "to": _iso(end), "minutes": minutes, "max_level_m": start[2],
    }  # fmt: skip


def _rises(folder, gauges, series):
    """Spells in which a level climbs by at least 30 cm without falling back more than 5 cm."""
    rows = []
    for sensor, readings in series.items():
        low = high = readings[0]
        for now in readings[1:]:
            if now[1] > high[1]:
                high = now
            if now[1] < high[1] - 0.05 or now[0] - high[0] > timedelta(hours=3):
                _close(rows, gauges, sensor, low, high)
                low = high = now
            elif now[1] <= low[1] and high == low:
                low = high = now
        _close(rows, gauges, sensor, low, high)
    rivers = len({row["river"] for row in rows})
    return _entry(
        gauges,
        {
            "en": "Catalogue of river rises over 30 cm, Fukui 2021",
            "ja": "30cm以上の水位上昇イベント集(福井県 2021年8月)",
        },
        {
            "en": f"{len(rows)} separate rises on {rivers} rivers with start, crest, height, duration and mean rate, found by one "
            "published rule: 30 cm up without falling back more than 5 cm.",
            "ja": f"{rivers}河川で検出した{len(rows)}件の水位上昇。開始、ピーク、上昇量、継続時間、平均速度を収録。",
        },
        [folder.csv("hydro/rises.csv", rows, encoding="utf-8-sig")],
        ["Benchmark an event detector against named rises"],
        [one_off(38_000, "JPY", "research"), one_off(88_000, "JPY", "product_use")],
    )


def _close(rows, gauges, sensor, low, high):
    rise, minutes = high[1] - low[1], (high[0] - low[0]).total_seconds() / 60
    if rise >= 0.3:
        rows.append(_who(gauges, sensor) | {
            "start": _iso(low[0]), "crest": _iso(high[0]), "start_level_m": low[1], "crest_level_m": high[1],
            "rise_m": round(rise, 2), "minutes": int(minutes), "rise_m_per_h": round(rise * 60 / minutes, 3),
        })  # fmt: skip


def _crests(folder, gauges, series):
    features = []
    for sensor, readings in series.items():
        if len(readings) < 24:
            continue
        gauge = gauges[sensor]
        time, level = max(readings, key=lambda reading: (reading[1], -reading[0].timestamp()))
        base = min(value for _, value in readings)
        features.append(point(gauge["経度"], gauge["緯度"], _who(gauges, sensor) | {
            "crest": _iso(time), "crest_level_m": level, "lowest_level_m": base, "range_m": round(level - base, 2),
            "stage": _stage(gauge, level),
        }))  # fmt: skip
    features.sort(key=lambda feature: (feature["properties"]["river"], feature["properties"]["crest"]))
    widest = max(feature["properties"]["range_m"] for feature in features)
    return _entry(
        gauges,
        {"en": "Flood crests by gauge and river, Fukui 2021", "ja": "観測所別の最高水位と発生時刻(福井県 2021年8月)"},
        {
            "en": f"Height and time of the week's crest at {len(features)} gauges, sorted by time along each river so that the wave can be "
            f"followed downstream; the widest swing was {widest:.2f} m.",
            "ja": f"{len(features)}観測所の最高水位と時刻を河川ごとに整理し、洪水波の流下を追えるようにした。",
        },
        [folder.geojson("hydro/crests.geojson", features)],
        ["Estimate how much warning time upstream gauges give"],
        [one_off(29_900, "EUR", "product_use")],
    )


def _matrix(folder, gauges, series):
    wanted = [sensor for sensor in series if gauges[sensor]["河川名"] in ("九頭竜川", "日野川", "足羽川", "真名川")]
    table = defaultdict(dict)
    for sensor in wanted:
        for hour, part in _by_hour(series[sensor]).items():
            table[hour][sensor] = max(level for _, level in part)
    rows = [
        {"hour": _iso(hour)} | {f"gauge_{sensor}": levels.get(sensor, "") for sensor in wanted}
        for hour, levels in sorted(table.items())
    ]
    return _entry(
        gauges,
        {"en": "Kuzuryū basin level matrix, hour by gauge", "ja": "九頭竜川水系 時間水位マトリクス"},
        {
            "en": f"Hourly maxima of {len(wanted)} gauges on the Kuzuryū, Hino, Asuwa and Mana side by side, {len(rows)} hours: ready "
            "for correlation or a neural network.",
            "ja": f"九頭竜川・日野川・足羽川・真名川の{len(wanted)}観測所の時間最高水位を横に並べた{len(rows)}時間分の表。",
        },
        [folder.csv("hydro/kuzuryu-matrix.csv", rows, encoding="utf-8")],
        ["Fit an upstream-downstream forecast"],
        [one_off(54_000, "JPY", "product_use")],
        place="Kuzuryū basin, Fukui",
    )


def _steadiness(readings):
    """Gaps, flat lines and jumps of one series; empty where fewer than two readings make it meaningless."""
    steps = list(zip(readings, readings[1:]))
    if not steps:
        return {
            "usable": len(readings),
            "median_gap_min": "",
            "longest_gap_min": "",
            "longest_flat_min": "",
            "largest_step_m": "",
        }
    gaps = sorted(int((later[0] - earlier[0]).total_seconds() // 60) for earlier, later in steps)
    flat = longest = timedelta()
    for earlier, later in steps:
        flat = flat + (later[0] - earlier[0]) if later[1] == earlier[1] else timedelta()
        longest = max(longest, flat)
    return {
        "usable": len(readings), "median_gap_min": gaps[len(gaps) // 2], "longest_gap_min": gaps[-1],
        "longest_flat_min": int(longest.total_seconds() // 60),
        "largest_step_m": round(max(abs(later[1] - earlier[1]) for earlier, later in steps), 2),
    }  # fmt: skip


def _quality(sources, folder, gauges, series):
    published, missing = Counter(), Counter()
    for day in FUKUI_DAYS:
        for row in sources.river_day(day):
            published[row["id"]] += 1
            missing[row["id"]] += level_m(row["河川水位"]) is None
    rows = [
        _who(gauges, sensor)
        | {"published": published[sensor], "missing": missing[sensor]}
        | _steadiness(series.get(sensor, []))
        for sensor in gauges
    ]
    marked = sum(row["missing"] > 0 for row in rows)
    still = sum(row["longest_flat_min"] != "" and row["longest_flat_min"] >= 24 * 60 for row in rows)
    return _entry(
        gauges,
        {"en": "Gauge reliability report, Fukui rivers", "ja": "水位観測所の信頼性レポート(福井県)"},
        {
            "en": f"Missing marks, longest gap, longest flat line and largest jump of {len(rows)} gauges in flood week; {marked} sent missing "
            f"marks and {still} showed one and the same level for a day or longer.",
            "ja": f"出水期間中の{len(rows)}観測所の欠測、最長空白、最長一定値、最大変化量。{marked}観測所に欠測、{still}観測所に24時間以上の一定値があった。",
        },
        [folder.csv("hydro/reliability.csv", rows, encoding="cp932", name="観測所信頼性.csv")],
        ["Decide which gauges a warning service may lean on"],
        [subscription(12, 36_000, "JPY", "internal_use")],
        update_frequency="monthly",
        tags=[*TAGS, "data quality"],
    )


def _feeds(sources, folder):
    rows = []
    live = Counter(row["label"] for row in sources.gtfs_realtime)
    for prefecture in dict.fromkeys(row["prefname"] for row in sources.gtfs_feeds):
        feeds = [row for row in sources.gtfs_feeds if row["prefname"] == prefecture]
        licences = Counter(row["license_name"] for row in feeds)
        updates = sorted(row["feed_LastUpdate"] for row in feeds if row["feed_LastUpdate"].isdigit())
        rows.append({
            "prefcode": feeds[0]["prefcode"], "prefecture": prefecture, "feeds": len(feeds),
            "official": sum(row["official"] == "1" for row in feeds), "needs_api_key": sum(row["api_key"] == "1" for row in feeds),
            "with_realtime": sum(row["label"] in live for row in feeds), "cc0": licences["CC 0"], "cc_by_4_0": licences["CC BY 4.0"],
            "cc_by_2_1_jp": licences["CC BY 2.1"], "cc_by_sa_3_0": licences["CC BY-SA 3.0"],
            "unclear_terms": licences["(オープンデータとして公開)"] + licences["オープンデータ準拠"],
            "oldest_update": updates[0] if updates else "", "newest_update": updates[-1] if updates else "",
        })  # fmt: skip
    feeds = sum(row["feeds"] for row in rows)
    return listing(
        "hydro",
        {"en": "Bus feed availability and terms by prefecture, Japan", "ja": "都道府県別GTFS公開状況と利用条件"},
        {
            "en": f"{feeds} timetable feeds counted over {len(rows)} prefectures: official or not, key needed or not, live data or not, "
            "licence and age. Shows at a glance where a nationwide product would stand on unclear terms.",
            "ja": f"{len(rows)}都道府県、{feeds}フィードを公式性、APIキー、リアルタイム、ライセンス、更新日で集計。",
        },
        "transport",
        ["gtfs", "bus", "licences", "coverage"],
        [folder.csv("hydro/feeds-by-prefecture.csv", rows, encoding="utf-8-sig")],
        place="Japan",
        use_cases=["Clear rights before launching a journey planner"],
        offers=[one_off(24_000, "JPY", "internal_use"), subscription(12, 42_000, "JPY", "product_use")],
        update_frequency="quarterly",
    )


def _sample(folder, gauges, series):
    wanted = {sensor: series[sensor] for sensor in ("1", "93", "206") if sensor in series}
    rows = [
        _who(gauges, sensor) | {"time": _iso(time), "level_m": level}
        for sensor, readings in wanted.items()
        for time, level in readings
        if time.date().isoformat() == "2021-08-15"
    ]
    return _entry(
        gauges,
        {
            "en": "Sample: cleaned river levels of three gauges, 15 August 2021",
            "ja": "見本:整備済み水位 3観測所・2021年8月15日",
        },
        {
            "en": f"{len(rows)} rows of the cleaned series, free of charge, so that time stamps and columns can be checked first.",
            "ja": f"整備済みデータの無償見本{len(rows)}行。時刻表記と列構成を購入前に確認できる。",
        },
        [folder.csv("hydro/sample-clean.csv", rows, encoding="utf-8")],
        ["Check the columns before buying the whole week"],
        [{"kind": "free"}],
        licence="MIT",
        temporal=("2021-08-15", "2021-08-15"),
        tags=[*TAGS, "sample"],
    )
