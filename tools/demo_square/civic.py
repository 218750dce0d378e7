"""Public transport timetables kept by volunteers: Kobe subway (CC BY-SA 3.0), Japanese feed lists (CC0)."""

import csv
import io
from collections import Counter

import pyarrow as pa

from .files import bbox, point
from .listing import listing

KOBE = "CC-BY-SA-3.0"
FEEDS = "CC0-1.0"
LINES = {"kaigan": ("Kaigan line", "海岸線"), "seishin": ("Seishin-Yamate line", "西神・山手線")}
SERVICES = {"w": ("weekday", "平日"), "h": ("weekend", "土休日")}
PREFECTURES = {
    "北海道": ("Hokkaido", "hokkaido"),
    "沖縄県": ("Okinawa", "okinawa"),
    "群馬県": ("Gunma", "gunma"),
    "山形県": ("Yamagata", "yamagata"),
    "大分県": ("Oita", "oita"),
    "富山県": ("Toyama", "toyama"),
    "愛知県": ("Aichi", "aichi"),
    "高知県": ("Kochi", "kochi"),
    "福井県": ("Fukui", "fukui"),
    "福岡県": ("Fukuoka", "fukuoka"),
    "兵庫県": ("Hyogo", "hyogo"),
    "新潟県": ("Niigata", "niigata"),
}
STOP_TIMES = [
    (column, pa.string()) for column in ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence")
]
VALID = ("2017-08-16", "2017-11-17")


def listings(sources, folder):
    entries = [_network(sources, folder), _stations(sources, folder)]
    entries += [_timetable(sources, folder, route, service) for route in LINES for service in SERVICES]
    entries += [_prefecture(sources, folder, prefecture, *names) for prefecture, names in PREFECTURES.items()]
    entries += [_realtime(sources, folder), _public_domain(sources, folder)]
    return entries


def _gtfs(rows):
    """A GTFS table as text; the specification asks for UTF-8 CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _kobe_bounds(sources):
    return bbox([(float(row["stop_lon"]), float(row["stop_lat"])) for row in sources.kobe["stops.txt"]])


def _network(sources, folder):
    tables = ["agency.txt", "calendar.txt", "feed_info.txt", "routes.txt", "stops.txt"]
    files = [folder.text(f"kobe/{name}", _gtfs(sources.kobe[name])) for name in tables]
    return listing(
        "civic",
        {
            "en": "Kobe subway network in GTFS: routes, stops and calendar",
            "ja": "神戸市営地下鉄のGTFS(路線・駅・運行日)",
        },
        {
            "en": "The five small GTFS tables of the two municipal subway lines: operator, calendar, feed facts, routes and "
            f"{len(sources.kobe['stops.txt'])} stops. Join them with the timetables listed separately.",
            "ja": "神戸市営地下鉄2路線の事業者、運行日、路線、駅をまとめたGTFS基本ファイル。時刻表は別に掲載。",
        },
        "transport",
        ["gtfs", "subway", "timetable", "kobe"],
        files,
        place="Kobe",
        bbox=_kobe_bounds(sources),
        temporal=VALID,
        use_cases=["Load the subway into a trip planner", "Test a GTFS validator on a share-alike feed"],
        licence=KOBE,
    )


def _stations(sources, folder):
    stations = [row for row in sources.kobe["stops.txt"] if row["location_type"] == "1"]
    features = [
        point(float(row["stop_lon"]), float(row["stop_lat"]), {"stop_id": row["stop_id"], "name": row["stop_name"],
              "wheelchair_boarding": row["wheelchair_boarding"]})
        for row in stations
    ]  # fmt: skip
    accessible = sum(row["wheelchair_boarding"] == "1" for row in stations)
    return listing(
        "civic",
        {"en": "Kobe subway stations on the map", "ja": "神戸市営地下鉄の駅位置"},
        {
            "en": f"{len(stations)} subway stations as points, {'all' if accessible == len(stations) else accessible} of them marked as accessible by wheelchair.",
            "ja": f"地下鉄{len(stations)}駅の位置(GeoJSON)。うち{accessible}駅が車いす対応。",
        },
        "transport",
        ["subway", "stations", "accessibility", "kobe"],
        [folder.geojson("kobe/stations.geojson", features)],
        place="Kobe",
        bbox=_kobe_bounds(sources),
        use_cases=["Show step-free stations to visitors"],
        licence=KOBE,
    )


def _timetable(sources, folder, route, service):
    english, japanese = LINES[route]
    days, days_ja = SERVICES[service]
    trips = [row for row in sources.kobe["trips.txt"] if (row["route_id"], row["service_id"]) == (route, service)]
    wanted = {row["trip_id"] for row in trips}
    times = [row for row in sources.kobe["stop_times.txt"] if row["trip_id"] in wanted]
    first, last = min(row["departure_time"] for row in times), max(row["departure_time"] for row in times)
    stem = f"kobe/{route}-{days}"
    if route == "kaigan":
        files = [folder.text(f"{stem}/trips.txt", _gtfs(trips)), folder.text(f"{stem}/stop_times.txt", _gtfs(times))]
    else:
        # The long line's table is four times the size as text; the columns stay those of GTFS.
        files = [
            folder.text(f"{stem}/trips.txt", _gtfs(trips)),
            folder.parquet(f"{stem}/stop_times.parquet", times, STOP_TIMES),
        ]
    return listing(
        "civic",
        {
            "en": f"Kobe subway {english}: {days} timetable 2017",
            "ja": f"神戸市営地下鉄 {japanese} 時刻表({days_ja}・2017年)",
        },
        {
            "en": f"{len(trips)} trips with {len(times):,} departures on {days}s, from {first[:5]} to {last[:5]}, as GTFS trips and stop times.",
            "ja": f"{days_ja}の{len(trips)}本、{len(times):,}発着を収めたGTFS(trips、stop_times)。",
        },
        "transport",
        ["gtfs", "subway", "timetable", "kobe"],
        files,
        place="Kobe",
        bbox=_kobe_bounds(sources),
        temporal=VALID,
        use_cases=[f"Work out headways on the {english}", "Draw an isochrone map of Kobe"],
        licence=KOBE,
    )


def _prefecture(sources, folder, prefecture, name, slug):
    rows = [row for row in sources.gtfs_feeds if row["prefname"] == prefecture]
    licence, shared = Counter(row["license_name"] for row in rows).most_common(1)[0]
    newest = max(row["feed_LastUpdate"] for row in rows if row["feed_LastUpdate"].isdigit())
    return listing(
        "civic",
        {"en": f"Bus timetable feeds of {name}", "ja": f"{prefecture}の標準的なバス情報(GTFS)一覧"},
        {
            "en": f"{len(rows)} open GTFS feeds of bus and ferry operators in {name} with download address and terms; {'all' if shared == len(rows) else shared} are "
            f"under {licence}. Last change {newest[:4]}-{newest[4:6]}-{newest[6:]}.",
            "ja": f"{prefecture}で公開されているGTFSフィード{len(rows)}件の配布先と利用条件。{licence}が{shared}件。",
        },
        "transport",
        ["gtfs", "bus", "feeds", slug],
        [folder.csv(f"gtfs-jp/{slug}.csv", rows, encoding="cp932", name=f"GTFS一覧_{prefecture}.csv")],
        place=f"{name}, Japan",
        update_frequency="irregular",
        use_cases=[f"Collect every timetable of {name} in one run", "Check the terms before mixing feeds"],
        licence=FEEDS,
    )


def _realtime(sources, folder):
    rows = sources.gtfs_realtime
    operators = len({row["label"] for row in rows})
    positions = sum(row["feed_entity"] == "VehiclePosition" for row in rows)
    return listing(
        "civic",
        {"en": "Live bus feeds of Japan (GTFS Realtime)", "ja": "全国のGTFSリアルタイム一覧"},
        {
            "en": f"{len(rows)} GTFS Realtime addresses of {operators} operators, {positions} of them vehicle positions, with update "
            "interval and terms.",
            "ja": f"{operators}事業者、{len(rows)}件のGTFSリアルタイム配信先、更新間隔、利用条件。",
        },
        "transport",
        ["gtfs realtime", "bus", "feeds", "live"],
        [folder.csv("gtfs-jp/realtime.csv", rows, encoding="utf-8-sig")],
        place="Japan",
        update_frequency="irregular",
        use_cases=["Pick live feeds for a nationwide arrivals board"],
        licence=FEEDS,
    )


def _public_domain(sources, folder):
    rows = [row for row in sources.gtfs_feeds if row["license_name"] == "CC 0"]
    prefectures = len({row["prefname"] for row in rows})
    return listing(
        "civic",
        {"en": "Japanese bus feeds without conditions (CC0)", "ja": "CC0で公開されているGTFSフィード一覧"},
        {
            "en": f"The {len(rows)} timetable feeds in {prefectures} prefectures that their publishers gave to the public domain.",
            "ja": f"{prefectures}道県でCC0により公開されている{len(rows)}件の時刻表フィード。",
        },
        "transport",
        ["gtfs", "bus", "feeds", "public domain"],
        [folder.json("gtfs-jp/cc0.json", rows)],
        place="Japan",
        update_frequency="irregular",
        use_cases=["Build a product on timetables that need no attribution"],
        licence=FEEDS,
    )
