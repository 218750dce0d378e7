"""What the Taiwanese company sells: open-data demand, harmonised catalogues, bicycle coverage."""

import re
from collections import Counter, defaultdict
from itertools import accumulate

import pyarrow as pa

from .files import bbox, cell, line
from .grid import count_cells, hull_km2, metres
from .listing import listing, one_off, subscription
from .sources import count
from .taiwan import AGENCY, CONTACT, MUNICIPAL, TITLE, usage_row

YEARS = ("2012-01-01", "2018-07-31")


def listings(sources, folder):
    usage = [usage_row(row) for row in sources.national]
    stations = sources.stations
    catalogue = list(_harmonised_rows(sources))
    return [
        _ranking(folder, usage),
        _top(folder, usage),
        _harmonised(folder, catalogue),
        _shared_titles(folder, catalogue),
        _density(folder, stations),
        _gaps(folder, stations),
        _districts(folder, stations),
        _sample(folder, stations),
        _calendar(folder, usage),
    ]


def _entry(title, summary, theme, tags, files, place, use_cases, offers, **more):
    return listing(
        "formosa", title, summary, theme, tags, files, place=place, use_cases=use_cases, offers=offers, **more
    )


def _ranking(folder, usage):
    groups = defaultdict(list)
    for row in usage:
        groups[row["agency"]].append(row)
    rows = []
    for agency, part in groups.items():
        views, downloads = (sum(row[column] or 0 for row in part) for column in ("views", "downloads"))
        ratings = [row["rating"] for row in part if row["rating"] is not None]
        rows.append({
            "agency": agency, "datasets": len(part), "views": views, "downloads": downloads,
            "downloads_per_dataset": round(downloads / len(part), 1), "downloads_per_100_views": round(100 * downloads / views, 1) if views else "",
            "never_downloaded": sum(not row["downloads"] for row in part), "mean_rating": round(sum(ratings) / len(ratings), 1) if ratings else "",
        })  # fmt: skip
    rows.sort(key=lambda row: (-row["downloads"], row["agency"]))
    rows = [{"rank": rank} | row for rank, row in enumerate(rows, 1)]
    return _entry(
        {"en": "Demand ranking of Taiwan's open-data agencies", "zh-Hant": "臺灣各機關開放資料需求排行"},
        {
            "en": f"{len(rows):,} agencies ranked by downloads over {len(usage):,} datasets, with views, conversion and the share "
            f"nobody ever fetched. First place: {rows[0]['agency']}.",
            "zh-Hant": f"依下載次數為 {len(rows):,} 個機關、{len(usage):,} 個資料集排名,附瀏覽、轉換率與從未被下載的數量。",
        },
        "economy",
        ["open data", "demand", "ranking"],
        [folder.csv("formosa/agency-demand.csv", rows, encoding="utf-8-sig", name="機關需求排行.csv")],
        "Taiwan",
        ["See where demand for public data already exists", "Choose which agency to approach for a feed"],
        [one_off(490_000, "TWD", "internal_use"), subscription(12, 1_500_000, "TWD", "product_use")],
        temporal=YEARS,
        update_frequency="quarterly",
    )


def _top(folder, usage):
    rows = sorted(usage, key=lambda row: (-(row["downloads"] or 0), row["agency"], row["title"]))[:1000]
    rows = [
        {"rank": rank}
        | row
        | {"downloads_per_view": round((row["downloads"] or 0) / row["views"], 3) if row["views"] else ""}
        for rank, row in enumerate(rows, 1)
    ]
    share = sum(row["downloads"] for row in rows) / sum(row["downloads"] or 0 for row in usage)
    return _entry(
        {"en": "The 1,000 most downloaded public datasets of Taiwan", "zh-Hant": "臺灣下載次數最多的一千個資料集"},
        {
            "en": f"Title, agency, age, views and downloads of the top thousand, which hold {share:.0%} of all downloads.",
            "zh-Hant": f"下載次數前一千名資料集的名稱、機關、上架日、瀏覽與下載,占全部下載的 {share:.0%}。",
        },
        "government",
        ["open data", "demand", "downloads"],
        [folder.csv("formosa/top-1000.csv", rows, encoding="utf-8-sig", name="下載前一千名.csv")],
        "Taiwan",
        ["Pick data products with proven readers"],
        [one_off(9_900, "USD", "research"), one_off(29_900, "USD", "product_use")],
        temporal=YEARS,
    )


CATALOGUE_SCHEMA = [
    ("municipality", pa.string()), ("agency", pa.string()), ("title", pa.string()), ("fields", pa.int16()), ("views", pa.int32()),
    ("downloads", pa.int32()),
]  # fmt: skip


def _harmonised_rows(sources):
    for file_name, _, english, chinese, *_ in MUNICIPAL:
        for row in sources.municipal(file_name):
            if not row.get(TITLE) or CONTACT.search(str(row.values())):
                continue
            # Kaohsiung's owner column holds a clerk's name in places.
            agency = "" if chinese == "高雄市" else str(row.get(AGENCY) or "").strip("/ ").split("/")[0]
            fields = [part for part in re.split(r"[\u3001,\uff0c;\uff1b\s]+", str(row.get("主要欄位") or "")) if part]
            yield {
                "municipality": english, "agency": agency, "title": " ".join(row[TITLE].split()), "fields": len(fields) or None,
                "views": count(row.get("瀏覽次數")), "downloads": count(row.get("下載次數")),
            }  # fmt: skip


def _harmonised(folder, catalogue):
    portals = len({row["municipality"] for row in catalogue})
    counted = sum(row["downloads"] is not None for row in catalogue)
    return _entry(
        {
            "en": f"One catalogue out of {portals} Taiwanese city and county portals",
            "zh-Hant": f"{portals} 縣市開放資料目錄整合版",
        },
        {
            "en": f"{len(catalogue):,} entries from {portals} portals with differing field sets brought to six common columns; "
            f"{counted:,} have a download count.",
            "zh-Hant": f"將 {portals} 個縣市平臺、欄位各異的 {len(catalogue):,} 筆清單整理為六個共同欄位。",
        },
        "government",
        ["open data", "catalogue", "harmonised", "municipal"],
        [folder.parquet("formosa/municipal-catalogue.parquet", catalogue, CATALOGUE_SCHEMA)],
        "Taiwan",
        ["Compare what cities open", "Seed a federated search"],
        [one_off(880_000, "TWD", "product_use", approval_required=True)],
        temporal=("2018-07-01", "2018-07-31"),
    )


def _shared_titles(folder, catalogue):
    groups = defaultdict(list)
    for row in catalogue:
        groups[_bare(row["title"])].append(row)
    rows = []
    for title, part in groups.items():
        places = sorted({row["municipality"] for row in part})
        if len(places) > 1 and len(title) > 2:
            rows.append({
                "topic": title, "municipalities": len(places), "datasets": len(part), "where": "; ".join(places),
                "downloads": sum(row["downloads"] or 0 for row in part),
            })  # fmt: skip
    rows.sort(key=lambda row: (-row["municipalities"], -row["datasets"], row["topic"]))
    return _entry(
        {"en": "Same dataset, many cities: shared topics in Taiwan", "zh-Hant": "同一主題、多個縣市:臺灣共通資料集"},
        {
            "en": f"{len(rows)} topics that two or more municipalities publish under the same name once place and year are taken "
            f"out; the widest, {rows[0]['topic']}, exists in {rows[0]['municipalities']}.",
            "zh-Hant": f"去除地名與年份後,兩個以上縣市共同發布的 {len(rows)} 個主題,最廣者為「{rows[0]['topic']}」({rows[0]['municipalities']} 縣市)。",
        },
        "government",
        ["open data", "standards", "overlap"],
        [folder.csv("formosa/shared-topics.csv", rows, encoding="utf-8-sig", name="共通主題.csv")],
        "Taiwan",
        ["Decide which data standard would pay off first"],
        [one_off(360_000, "TWD", "internal_use")],
        temporal=("2018-07-01", "2018-07-31"),
    )


def _bare(title):
    """A title without place, year, month and file suffix, so that equal topics meet."""
    names = "|".join(
        sorted({row[3] for row in MUNICIPAL} | {"台北市", "台中市", "台南市", "宜蘭縣"}, key=len, reverse=True)
    )
    title = re.sub(rf"({names})(政府)?", "", title)
    title = re.sub(r"\d+年(度)?|\d+月(份)?|民國|[(\uff08].*?[)\uff09]|\.\w{3,4}$", "", title)
    return re.sub(r"[\s\-_/\u3001,\uff0c]+", "", title)


def _places(stations):
    return bbox([(row["lon"], row["lat"]) for row in stations])


def _density(folder, stations):
    positions = [(row["lon"], row["lat"]) for row in stations]
    cells = [cell(*corners, {"docks": number}) for corners, number in count_cells(positions, 500)]
    busiest = max(feature["properties"]["docks"] for feature in cells)
    return _entry(
        {
            "en": "Bicycle dock density grid, Taipei and New Taipei, 500 m",
            "zh-Hant": "雙北公共自行車站點密度網格(500 公尺)",
        },
        {
            "en": f"{len(stations):,} docks counted into {len(cells):,} occupied squares of 500 m; the densest holds {busiest}.",
            "zh-Hant": f"將 {len(stations):,} 個站點計入 {len(cells):,} 個 500 公尺網格,最密的一格有 {busiest} 站。",
        },
        "transport",
        ["bicycles", "grid", "density"],
        [folder.geojson("formosa/dock-density-500m.geojson", cells)],
        "Taipei and New Taipei",
        ["Score homes and shops by access to bicycles"],
        [one_off(19_900, "USD", "internal_use"), one_off(59_900, "USD", "product_use")],
        bbox=_places(stations),
    )


def _nearest(stations):
    """(station, nearest other station, metres) for every dock."""
    for row in stations:
        here = (row["lon"], row["lat"])
        # Two hundredths of a degree is over two kilometres; farther docks matter only when none is nearer.
        close = [
            other
            for other in stations
            if other is not row and abs(other["lat"] - row["lat"]) < 0.02 and abs(other["lon"] - row["lon"]) < 0.02
        ]
        other = min(
            close or [other for other in stations if other is not row],
            key=lambda other: metres(here, (other["lon"], other["lat"])),
        )
        yield row, other, metres(here, (other["lon"], other["lat"]))


def _gaps(folder, stations):
    features = [
        line((row["lon"], row["lat"]), (other["lon"], other["lat"]), {
            "station": row["station"], "district": row["district"], "city": row["city"], "nearest": other["station"], "gap_m": round(gap),
        })
        for row, other, gap in _nearest(stations)
        if gap > 300
    ]  # fmt: skip
    features.sort(key=lambda feature: (-feature["properties"]["gap_m"], feature["properties"]["station"]))
    far = features[0]["properties"]
    return _entry(
        {"en": "Lonely docks: gaps in the bicycle network of greater Taipei", "zh-Hant": "雙北公共自行車站網缺口"},
        {
            "en": f"{len(features)} docks whose nearest neighbour is more than 300 m away, drawn as lines with the gap in metres; the "
            f"loneliest is {far['station']} in {far['district']}, {far['gap_m'] / 1000:.1f} km from the next.",
            "zh-Hant": f"與最近站點相距逾 300 公尺的 {len(features)} 站,以線段標示缺口;最遠者為{far['district']}{far['station']}。",
        },
        "transport",
        ["bicycles", "gaps", "planning"],
        [folder.geojson("formosa/dock-gaps.geojson", features)],
        "Taipei and New Taipei",
        ["Place the next hundred docks"],
        [one_off(650_000, "TWD", "product_use")],
        bbox=_places(stations),
    )


def _district_rows(stations):
    groups, nearest = defaultdict(list), defaultdict(list)
    for row, _, gap in _nearest(stations):
        groups[(row["city"], row["district"])].append((row["lon"], row["lat"]))
        nearest[(row["city"], row["district"])].append(gap)
    for (city, district), positions in sorted(groups.items()):
        area, gaps = hull_km2(positions), sorted(nearest[(city, district)])
        yield {
            "city": city, "district": district, "docks": len(positions), "hull_km2": round(area, 2),
            "docks_per_km2": round(len(positions) / area, 1) if area > 0.1 else "", "median_gap_m": round(gaps[len(gaps) // 2]),
            "widest_gap_m": round(gaps[-1]), "centre_lon": round(sum(lon for lon, _ in positions) / len(positions), 5),
            "centre_lat": round(sum(lat for _, lat in positions) / len(positions), 5),
        }  # fmt: skip


def _districts(folder, stations):
    rows = sorted(_district_rows(stations), key=lambda row: -row["docks"])
    return _entry(
        {
            "en": "Bicycle sharing league table, 38 districts and a campus of greater Taipei",
            "zh-Hant": f"雙北 {len(rows) - 1} 區與臺大校區公共自行車服務比較",
        },
        {
            "en": f"Docks, area served, docks per square kilometre and typical walking gap of {len(rows) - 1} districts and the NTU campus side by side.",
            "zh-Hant": f"{len(rows) - 1} 個行政區與臺大校區的站點數、服務面積、每平方公里站數與典型步行間距。",
        },
        "transport",
        ["bicycles", "districts", "comparison"],
        [folder.csv("formosa/districts.csv", rows, encoding="cp950", name="行政區比較.csv")],
        "Taipei and New Taipei",
        ["Brief a council on fair coverage"],
        [one_off(120_000, "TWD", "research"), one_off(280_000, "TWD", "internal_use")],
        bbox=_places(stations),
    )


def _sample(folder, stations):
    inner = [row for row in stations if row["city"] == "台北市" and row["district"] in ("大安區", "信義區", "中正區")]
    positions = [(row["lon"], row["lat"]) for row in inner]
    cells = [cell(*corners, {"docks": number}) for corners, number in count_cells(positions, 500)]
    return _entry(
        {"en": "Sample: dock density in three inner districts of Taipei", "zh-Hant": "樣本:臺北市中心三區站點密度"},
        {
            "en": f"{len(cells)} squares of the 500 m grid over Da'an, Xinyi and Zhongzheng, free of charge.",
            "zh-Hant": f"大安、信義、中正三區的 {len(cells)} 個 500 公尺網格,免費試用。",
        },
        "transport",
        ["bicycles", "grid", "sample"],
        [folder.geojson("formosa/sample-density.geojson", cells)],
        "Taipei",
        ["Try the grid on a map before buying it"],
        [{"kind": "free"}],
        bbox=_places(inner),
        licence="OGDL-Taiwan-1.0",
    )


def _calendar(folder, usage):
    published = [row for row in usage if row["published"]]
    months = Counter(row["published"].strftime("%Y-%m") for row in published)
    agencies = defaultdict(set)
    downloads = Counter()
    for row in published:
        month = row["published"].strftime("%Y-%m")
        agencies[month].add(row["agency"])
        downloads[month] += row["downloads"] or 0
    so_far = dict(zip(sorted(months), accumulate(months[month] for month in sorted(months))))
    rows = [
        {
            "month": month,
            "year": month[:4],
            "datasets": number,
            "datasets_so_far": so_far[month],
            "agencies": len(agencies[month]),
            "downloads_by_2018_07": downloads[month],
        }
        for month, number in sorted(months.items())
    ]
    peak = max(rows, key=lambda row: row["datasets"])
    return listing(
        "cartographer",
        {"en": "When Taiwan opened its data, month by month", "zh-Hant": "臺灣開放資料逐月上架紀錄"},
        {
            "en": f"New datasets, active agencies and later downloads for {len(rows)} months; the busiest was {peak['month']} with "
            f"{peak['datasets']:,} new datasets.",
            "zh-Hant": f"{len(rows)} 個月的新上架資料集、參與機關與後續下載;最多的是 {peak['month']},共 {peak['datasets']:,} 個。",
        },
        "government",
        ["open data", "history", "time series"],
        [folder.csv("formosa/calendar.csv", rows, encoding="utf-8", name="monthly-publication.csv")],
        place="Taiwan",
        temporal=(rows[0]["month"] + "-01", "2018-07-31"),
        use_cases=["Relate publishing drives to policy deadlines"],
        licence="OGDL-Taiwan-1.0",
    )
