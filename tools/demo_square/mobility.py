"""What the Danish company sells: Aarhus travel times made ready to route on, and Nordic endpoints."""

import heapq
from collections import Counter, defaultdict
from datetime import datetime

import pyarrow as pa

from .aarhus import bounds, ends, segment
from .files import cell
from .grid import count_cells
from .listing import listing, one_off, subscription

TAGS = ["traffic", "travel time"]


def listings(sources, folder):
    routes = sources.routes
    reports = {row["REPORT_ID"]: row for row in sources.traffic}
    return [
        _joined(folder, routes, reports),
        _graph(folder, routes),
        _matrix(folder, routes),
        _speeds(folder, routes),
        _directions(folder, routes),
        _freshness(folder, routes, reports),
        _density(folder, routes),
        _endpoints(sources, folder),
        _sample(folder, routes, reports),
    ]


def _entry(routes, title, summary, files, use_cases, offers, tags=(), **more):
    return listing(
        "mobility", title, summary, "transport", [*TAGS, *tags], files,
        place="Aarhus", bbox=bounds(routes), use_cases=use_cases, offers=offers, **more,
    )  # fmt: skip


def _observed(row, report):
    feature = segment(row)
    seen = int(report["vehicleCount"]) if report else 0
    feature["properties"] |= {
        "observed_at": report["TIMESTAMP"] if report else None,
        "vehicles": seen,
        "observed_s": int(report["medianMeasuredTime"]) if seen else None,
        "delay_ratio": round(int(report["medianMeasuredTime"]) / max(int(row["DURATION_IN_SEC"]), 1), 2)
        if seen
        else None,
    }
    return feature


def _joined(folder, routes, reports):
    features = [_observed(row, reports.get(row["REPORT_ID"])) for row in routes]
    keep = (
        "report_id",
        "name",
        "road_type",
        "distance_m",
        "reference_s",
        "reference_kmh",
        "observed_at",
        "vehicles",
        "observed_s",
        "delay_ratio",
    )
    for feature in features:
        feature["properties"] = {key: feature["properties"][key] for key in keep}
    return _entry(
        routes,
        {"en": "Aarhus travel times joined with road geometry", "da": "Aarhus: rejsetider koblet med geometri"},
        {
            "en": f"{len(features)} segments as lines that carry length, reference time, the latest measurement and the delay ratio "
            "in one file. Subscribers receive each new month.",
            "da": f"{len(features)} strækninger som linjer med længde, referencetid, seneste måling og forsinkelsesgrad i én fil.",
        },
        [folder.geojson("mobility/travel-times.geojson", features)],
        ["Colour a congestion map without joining two feeds", "Estimate arrival times for a delivery fleet"],
        [one_off(149_900, "DKK", "internal_use"), subscription(12, 990_000, "DKK", "product_use")],
        ["geometry"],
        update_frequency="monthly",
    )


def _node(row, end):
    return row[f"POINT_{end}_NAME"].strip()


def _edges(routes):
    for row in routes:
        if int(row["DURATION_IN_SEC"]) > 0 and _node(row, 1) and _node(row, 2):
            yield _node(row, 1), _node(row, 2), int(row["DURATION_IN_SEC"]), int(row["DISTANCE_IN_METERS"]), row


EDGE_SCHEMA = [
    ("report_id", pa.int32()), ("from_node", pa.string()), ("to_node", pa.string()), ("from_lon", pa.float64()), ("from_lat", pa.float64()),
    ("to_lon", pa.float64()), ("to_lat", pa.float64()), ("reference_s", pa.int32()), ("distance_m", pa.int32()), ("out_degree", pa.int16()),
]  # fmt: skip


def _graph(folder, routes):
    out = Counter(start for start, *_ in _edges(routes))
    rows = []
    for start, end, seconds, distance, row in _edges(routes):
        (from_lon, from_lat), (to_lon, to_lat) = ends(row)
        rows.append({
            "report_id": int(row["REPORT_ID"]), "from_node": start, "to_node": end, "from_lon": from_lon, "from_lat": from_lat,
            "to_lon": to_lon, "to_lat": to_lat, "reference_s": seconds, "distance_m": distance, "out_degree": out[end],
        })  # fmt: skip
    nodes = len({row["from_node"] for row in rows} | {row["to_node"] for row in rows})
    dead_ends = len({row["to_node"] for row in rows if row["out_degree"] == 0})
    return _entry(
        routes,
        {"en": "Routable sensor graph of Aarhus", "da": "Rutbar sensorgraf for Aarhus"},
        {
            "en": f"{len(rows)} directed edges between {nodes} sensor sites with time and length, checked for loose ends: {dead_ends} "
            "sites can be entered but not left.",
            "da": f"{len(rows)} retningsbestemte kanter mellem {nodes} målepunkter med tid og længde.",
        },
        [folder.parquet("mobility/graph.parquet", rows, EDGE_SCHEMA)],
        ["Run shortest-time routing on measured roads only"],
        [one_off(39_900, "EUR", "product_use")],
        ["graph", "routing"],
    )


def _reach(start, neighbours):
    """Shortest reference time in seconds from `start` to every reachable site."""
    best, queue = {start: 0}, [(0, start)]
    while queue:
        seconds, node = heapq.heappop(queue)
        if seconds > best[node]:
            continue
        for following, cost in neighbours[node]:
            if seconds + cost < best.get(following, seconds + cost + 1):
                best[following] = seconds + cost
                heapq.heappush(queue, (seconds + cost, following))
    return best


def _matrix(folder, routes):
    neighbours = defaultdict(list)
    for start, end, seconds, _, _ in _edges(routes):
        neighbours[start].append((end, seconds))
    busiest = sorted(neighbours, key=lambda node: (-len(neighbours[node]), node))[:60]
    rows = []
    for start in busiest:
        best = _reach(start, neighbours)
        rows += [
            {"from_node": start, "to_node": end, "reference_s": best[end]}
            for end in busiest
            if end != start and end in best
        ]
    pairs = len(busiest) * (len(busiest) - 1)
    return _entry(
        routes,
        {"en": "Travel-time matrix between 60 Aarhus junctions", "da": "Rejsetidsmatrix mellem 60 kryds i Aarhus"},
        {
            "en": f"Shortest reference times between the 60 best-connected sensor sites; {len(rows):,} of {pairs:,} pairs have a route "
            f"over measured roads, the longest taking {max(row['reference_s'] for row in rows) / 60:.0f} minutes.",
            "da": f"Korteste referencetider mellem de 60 bedst forbundne målepunkter, {len(rows)} par med en rute.",
        },
        [folder.csv("mobility/matrix.csv", rows, encoding="utf-8")],
        ["Solve vehicle routing without calling a routing service"],
        [one_off(24_900, "EUR", "internal_use"), one_off(74_900, "EUR", "product_use", approval_required=True)],
        ["matrix", "routing"],
    )


def _speeds(folder, routes):
    groups = defaultdict(list)
    for row in routes:
        if int(row["DURATION_IN_SEC"]) > 0:
            groups[(row["POINT_1_POSTAL_CODE"], row["POINT_1_CITY"], row["ROAD_TYPE"])].append(row)
    rows = []
    for (code, city, kind), part in sorted(groups.items()):
        distance, seconds = (
            sum(int(row[column]) for row in part) for column in ("DISTANCE_IN_METERS", "DURATION_IN_SEC")
        )
        speeds = sorted(int(row["NDT_IN_KMH"]) for row in part)
        rows.append({
            "postal_code": code, "city": city, "road_type": kind, "segments": len(part), "length_m": distance,
            "mean_kmh": round(distance / seconds * 3.6, 1), "min_kmh": speeds[0], "median_kmh": speeds[len(speeds) // 2], "max_kmh": speeds[-1],
        })  # fmt: skip
    return _entry(
        routes,
        {
            "en": "Reference speed profile by postal district, Aarhus",
            "da": "Referencehastighed pr. postdistrikt i Aarhus",
        },
        {
            "en": f"Length-weighted mean, median and extreme reference speeds for {len(rows)} combinations of district and road class.",
            "da": f"Længdevægtet middel, median og yderpunkter for {len(rows)} kombinationer af distrikt og vejtype.",
        },
        [folder.csv("mobility/speed-profile.csv", rows, encoding="utf-8-sig")],
        ["Set delivery zones by real street speed"],
        [one_off(49_900, "DKK", "internal_use")],
        ["speed"],
    )


def _directions(folder, routes):
    by_pair = {(start, end): (seconds, distance, row) for start, end, seconds, distance, row in _edges(routes)}
    rows = []
    for (start, end), (seconds, distance, row) in sorted(by_pair.items(), key=lambda item: item[0]):
        back = by_pair.get((end, start))
        if back and start < end:
            rows.append({
                "site_a": start, "site_b": end, "street_a": row["POINT_1_STREET"], "street_b": row["POINT_2_STREET"], "a_to_b_s": seconds,
                "b_to_a_s": back[0], "difference_s": seconds - back[0], "a_to_b_m": distance, "b_to_a_m": back[1],
            })  # fmt: skip
    rows.sort(key=lambda row: (-abs(row["difference_s"]), row["site_a"], row["site_b"]))
    return _entry(
        routes,
        {
            "en": "There and back: direction asymmetry on Aarhus roads",
            "da": "Frem og tilbage: forskel på retninger i Aarhus",
        },
        {
            "en": f"{len(rows)} pairs of sites measured both ways, sorted by how much longer one direction takes; the largest "
            f"difference, {abs(rows[0]['difference_s'])} seconds over equal lengths, is a reference time to question.",
            "da": f"{len(rows)} strækninger målt i begge retninger, sorteret efter forskellen i tid.",
        },
        [folder.csv("mobility/directions.csv", rows, encoding="utf-8-sig")],
        ["Choose which side of a road a depot should face"],
        [one_off(29_900, "DKK", "research"), one_off(79_900, "DKK", "product_use")],
        ["asymmetry"],
    )


def _freshness(folder, routes, reports):
    newest = max(datetime.fromisoformat(report["TIMESTAMP"]) for report in reports.values())
    rows = []
    for row in routes:
        report = reports.get(row["REPORT_ID"])
        age = (newest - datetime.fromisoformat(report["TIMESTAMP"])).total_seconds() / 3600 if report else None
        rows.append({
            "report_id": row["REPORT_ID"], "name": row["REPORT_NAME"], "last_report": report["TIMESTAMP"] if report else "",
            "hours_behind": round(age, 2) if report else "", "vehicles": report["vehicleCount"] if report else "",
            "verdict": _verdict(age, report),
        })  # fmt: skip
    verdicts = Counter(row["verdict"] for row in rows)
    return _entry(
        routes,
        {"en": "Sensor freshness audit of the Aarhus feed", "da": "Friskhedstjek af rejsetidsmålingerne i Aarhus"},
        {
            "en": f"How far every segment lags behind the newest report: {verdicts['live']} live, {verdicts['silent']} reporting no "
            f"vehicles, {verdicts['dead']} older than a year, {verdicts['missing']} never reported.",
            "da": f"Alder og status for hver strækning: {verdicts['live']} levende, {verdicts['silent']} uden køretøjer, {verdicts['dead']} døde.",
        },
        [folder.csv("mobility/freshness.csv", rows, encoding="utf-8-sig")],
        ["Know which sensors to leave out of a model"],
        [subscription(6, 180_000, "DKK", "internal_use")],
        ["data quality"],
        update_frequency="weekly",
    )


def _verdict(age_hours, report):
    if report is None:
        return "missing"
    if age_hours > 24 * 365:
        return "dead"
    return "silent" if report["vehicleCount"] == "0" else "live"


def _density(folder, routes):
    positions = [position for row in routes for position in ends(row)]
    cells = [cell(*corners, {"segment_ends": number}) for corners, number in count_cells(positions, 500)]
    return _entry(
        routes,
        {"en": "Sensor coverage grid of Aarhus, 500 m", "da": "Dækningsgrid for målepunkter i Aarhus, 500 m"},
        {
            "en": f"{len(cells)} squares of 500 m that hold at least one end of a measured segment, with the number of ends: shows "
            "where the network is dense and where it is blind.",
            "da": f"{len(cells)} kvadrater på 500 m med mindst ét målepunkt og antallet af strækningsender.",
        },
        [folder.geojson("mobility/coverage-500m.geojson", cells)],
        ["Argue for new sensors with a map"],
        [one_off(19_900, "EUR", "internal_use")],
        ["grid", "coverage"],
    )


def _endpoints(sources, folder):
    rows = []
    for portal in sources.portals:
        for country in sorted({"DK", "NO", "SE", "FI", "IS"} & set(portal["countries"])):
            rows += [
                {"country": country, "portal": portal["name"], "owner_type": portal["owner_type"], "software": portal["software"],
                 "endpoint_type": endpoint["type"], "url": endpoint["url"]}
                for endpoint in portal["endpoints"]
                if "@" not in endpoint["url"]
            ]  # fmt: skip
    seen = sorted({tuple(value or "" for value in row.values()) for row in rows})
    rows = [dict(zip(rows[0], values)) for values in seen]
    return listing(
        "mobility",
        {"en": "Nordic data endpoints directory", "da": "Nordiske dataendepunkter"},
        {
            "en": f"{len(rows):,} machine addresses of {len({row['portal'] for row in rows})} portals in Denmark, Norway, Sweden, Finland "
            "and Iceland, flattened to one row per endpoint, without repeats.",
            "da": f"{len(rows)} maskinadresser på dataportaler i Danmark, Norge, Sverige, Finland og Island, én række pr. endepunkt.",
        },
        "government",
        ["open data", "endpoints", "nordic"],
        [folder.parquet("mobility/nordic-endpoints.parquet", rows, [(column, pa.string()) for column in rows[0]])],
        place="Nordic countries",
        temporal=("2026-08-22", "2026-08-22"),
        use_cases=["Point a harvester at five countries in an afternoon"],
        offers=[subscription(12, 49_900, "EUR", "internal_use"), subscription(12, 149_900, "EUR", "product_use")],
        update_frequency="quarterly",
    )


def _sample(folder, routes, reports):
    rows = [row for row in routes if int(reports.get(row["REPORT_ID"], {"vehicleCount": 0})["vehicleCount"])]
    return _entry(
        rows,
        {
            "en": "Sample: Aarhus segments that counted vehicles",
            "da": "Prøve: strækninger i Aarhus med talte køretøjer",
        },
        {
            "en": f"The {len(rows)} segments of the joined travel times whose last report saw traffic, free of charge.",
            "da": f"De {len(rows)} strækninger i det koblede datasæt, hvor seneste måling så trafik. Gratis prøve.",
        },
        [
            folder.geojson(
                "mobility/sample-travel-times.geojson", [_observed(row, reports[row["REPORT_ID"]]) for row in rows]
            )
        ],
        ["Check the columns before subscribing"],
        [{"kind": "free"}],
        ["sample"],
        licence="CC-BY-4.0",
    )
