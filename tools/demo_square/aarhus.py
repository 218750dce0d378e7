"""Bluetooth travel-time segments of Aarhus. CC BY 4.0."""

from .files import bbox, line
from .listing import listing

LICENCE = "CC-BY-4.0"
DISTRICTS = {
    "8000": "Aarhus C",
    "8200": "Aarhus N",
    "8270": "Højbjerg",
    "8260": "Viby J",
    "8250": "Egå",
    "8240": "Risskov",
    "8220": "Brabrand",
}
CORRIDORS = {"Grenåvej": "grenaavej", "Randersvej": "randersvej", "Paludan-Müllers Vej": "paludan-mullers-vej"}


def listings(sources, folder):
    entries = [_register(sources, folder), _snapshot(sources, folder), _motorways(sources, folder)]
    entries += [_corridor(sources, folder, street, slug) for street, slug in CORRIDORS.items()]
    entries += [_district(sources, folder, code, name) for code, name in DISTRICTS.items()]
    return entries


def ends(row):
    """Start and end of a segment as (lon, lat), rounded to about a decimetre."""
    return tuple((round(float(row[f"POINT_{end}_LNG"]), 6), round(float(row[f"POINT_{end}_LAT"]), 6)) for end in (1, 2))


def bounds(rows):
    return bbox([position for row in rows for position in ends(row)])


def segment(row):
    start, end = ends(row)
    return line(
        start,
        end,
        {
            "report_id": int(row["REPORT_ID"]),
            "name": row["REPORT_NAME"],
            "from_street": row["POINT_1_STREET"],
            "to_street": row["POINT_2_STREET"],
            "city": row["POINT_1_CITY"],
            "postal_code": row["POINT_1_POSTAL_CODE"],
            "road_type": row["ROAD_TYPE"],
            "distance_m": int(row["DISTANCE_IN_METERS"]),
            "reference_s": int(row["DURATION_IN_SEC"]),
            "reference_kmh": int(row["NDT_IN_KMH"]),
        },
    )


def _km(rows):
    return sum(int(row["DISTANCE_IN_METERS"]) for row in rows) / 1000


def _register(sources, folder):
    rows = sources.routes
    return listing(
        "aarhus",
        {"en": "Register of travel-time segments in Aarhus", "da": "Register over rejsetidsstrækninger i Aarhus"},
        {
            "en": f"All {len(rows)} measured segments, {_km(rows):,.0f} km in total, with both end points, length, reference "
            "time and reference speed.",
            "da": f"Alle {len(rows)} målte strækninger med endepunkter, længde, referencetid og referencehastighed.",
        },
        "transport",
        ["traffic", "travel time", "road segments"],
        [folder.csv("aarhus/segments.csv", rows, encoding="utf-8-sig", name="Rejsetidsstrækninger.csv")],
        place="Aarhus",
        bbox=bounds(rows),
        update_frequency="irregular",
        use_cases=["Join live measurements with the roads they belong to"],
        licence=LICENCE,
    )


def _snapshot(sources, folder):
    rows = sources.traffic
    seen = sum(row["vehicleCount"] != "0" for row in rows)
    return listing(
        "aarhus",
        {"en": "Travel times in Aarhus: one snapshot", "da": "Rejsetider i Aarhus: et øjebliksbillede"},
        {
            "en": f"The last report of {len(rows)} segments as the feed stood in spring 2024. Only {seen} counted any vehicle, "
            "and some reports are four years old: a real case for a freshness check.",
            "da": f"Seneste måling for {len(rows)} strækninger, foråret 2024. Kun {seen} har talt køretøjer.",
        },
        "transport",
        ["traffic", "travel time", "snapshot", "data quality"],
        [folder.csv("aarhus/snapshot.csv", rows, encoding="utf-8", name="realtid.csv")],
        place="Aarhus",
        bbox=bounds(sources.routes),
        temporal=(min(row["TIMESTAMP"] for row in rows)[:10], max(row["TIMESTAMP"] for row in rows)[:10]),
        use_cases=["Test a dashboard against a feed that has gone stale"],
        licence=LICENCE,
    )


def _motorways(sources, folder):
    rows = [row for row in sources.routes if row["ROAD_TYPE"] == "HIGHWAY"]
    return _segments(
        folder, rows, "motorways",
        {"en": "Motorway travel-time segments around Aarhus", "da": "Motorvejsstrækninger omkring Aarhus"},
        "on the motorways around the city", "på motorvejene omkring byen", "Aarhus", ["motorway"],
        "Compare motorway and city routes at equal distance",
    )  # fmt: skip


def _corridor(sources, folder, street, slug):
    rows = [row for row in sources.routes if street in (row["POINT_1_STREET"], row["POINT_2_STREET"])]
    return _segments(
        folder, rows, slug,
        {"en": f"Travel-time segments along {street}, Aarhus", "da": f"Rejsetidsstrækninger langs {street}, Aarhus"},
        f"that start or end on {street}", f"der begynder eller ender på {street}", f"{street}, Aarhus", ["corridor"],
        f"Time the traffic lights along {street}",
    )  # fmt: skip


def _district(sources, folder, code, name):
    rows = [row for row in sources.routes if row["POINT_1_POSTAL_CODE"] == code]
    return _segments(
        folder, rows, code,
        {"en": f"Travel-time segments starting in {code} {name}", "da": f"Rejsetidsstrækninger fra {code} {name}"},
        f"that start in postal district {code} {name}", f"der begynder i {code} {name}", f"{name}, Aarhus",
        ["postal district", code],
        f"Estimate delivery times out of {name}",
    )  # fmt: skip


def _segments(folder, rows, slug, title, where, where_da, place, tags, use_case):
    fastest = max(int(row["NDT_IN_KMH"]) for row in rows)
    slowest = min(int(row["NDT_IN_KMH"]) for row in rows)
    return listing(
        "aarhus",
        title,
        {
            "en": f"{len(rows)} directed segments {where}, {_km(rows):.1f} km together, as straight lines between their sensors; "
            f"reference speeds run from {slowest} to {fastest} km/h.",
            "da": f"{len(rows)} retningsbestemte strækninger {where_da}, i alt {_km(rows):.1f} km, med referencehastigheder fra {slowest} til {fastest} km/t.".replace(
                f"{_km(rows):.1f}", f"{_km(rows):.1f}".replace(".", ",")
            ),
        },
        "transport",
        ["traffic", "travel time", *tags],
        [folder.geojson(f"aarhus/segments-{slug}.geojson", [segment(row) for row in rows])],
        place=place,
        bbox=bounds(rows),
        update_frequency="irregular",
        use_cases=[use_case],
        licence=LICENCE,
    )
