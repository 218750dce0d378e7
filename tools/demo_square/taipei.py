"""YouBike docks of Taipei and New Taipei, one listing per district. OGDL-Taiwan-1.0."""

from .files import bbox, fits_big5, point
from .listing import listing

TAIPEI = {
    "大安區": ("Da'an", "daan"),
    "內湖區": ("Neihu", "neihu"),
    "中山區": ("Zhongshan", "zhongshan"),
    "士林區": ("Shilin", "shilin"),
    "中正區": ("Zhongzheng", "zhongzheng"),
    "信義區": ("Xinyi", "xinyi"),
    "南港區": ("Nangang", "nangang"),
    "文山區": ("Wenshan", "wenshan"),
    "北投區": ("Beitou", "beitou"),
    "松山區": ("Songshan", "songshan"),
    "萬華區": ("Wanhua", "wanhua"),
    "大同區": ("Datong", "datong"),
    "臺大公館校區": ("the NTU Gongguan campus", "ntu-gongguan"),
}
NEW_TAIPEI = {
    "板橋區": ("Banqiao", "banqiao"),
    "新莊區": ("Xinzhuang", "xinzhuang"),
    "新店區": ("Xindian", "xindian"),
    "三重區": ("Sanchong", "sanchong"),
    "中和區": ("Zhonghe", "zhonghe"),
    "土城區": ("Tucheng", "tucheng"),
    "三峽區": ("Sanxia", "sanxia"),
    "淡水區": ("Tamsui", "tamsui"),
    "樹林區": ("Shulin", "shulin"),
    "林口區": ("Linkou", "linkou"),
}
LICENCE = "OGDL-Taiwan-1.0"
COLUMNS = {"station": "站名", "district": "行政區", "lat": "緯度", "lon": "經度", "city": "縣市"}


def listings(sources, folder):
    entries = []
    for district, (name, slug) in TAIPEI.items():
        entries.append(_district(sources, folder, district, name, slug, "Taipei"))
    for district, (name, slug) in NEW_TAIPEI.items():
        entries.append(_district(sources, folder, district, name, slug, "New Taipei"))
    entries.append(_outer_districts(sources, folder))
    return entries


def _district(sources, folder, district, name, slug, city):
    stations = [row for row in sources.stations if row["district"] == district]
    campus = district == "臺大公館校區"
    where = f"on {name}" if campus else f"in {name} district"
    files = [
        folder.geojson(f"taipei/youbike-{slug}.geojson", [_dock(row) for row in stations]),
        _table(folder, f"taipei/youbike-{slug}.csv", stations, f"{district}YouBike站點.csv"),
    ]
    northmost = max(stations, key=lambda row: row["lat"])["station"]
    return listing(
        "taipei",
        {"en": f"YouBike stations {where}, {city}", "zh-Hant": f"{stations[0]['city']}{district} YouBike 站點"},
        {
            "en": f"Name and position of the {len(stations)} bicycle-sharing docks {where}, {city}, as points on a map "
            f"and as a table. The northernmost is {northmost}.",
            "zh-Hant": f"{stations[0]['city']}{district}共 {len(stations)} 個公共自行車站點的站名與經緯度,提供地圖點位與表格兩種格式。",
        },
        "transport",
        ["bicycles", "sharing", "stations", slug],
        files,
        place=f"{name if not campus else 'NTU Gongguan campus'}, {city}",
        bbox=bbox([(row["lon"], row["lat"]) for row in stations]),
        update_frequency="irregular",
        use_cases=[
            f"Plan where new docks are missing {where}",
            "Add bicycle sharing to a door-to-door journey planner",
        ],
        licence=LICENCE,
    )


def _outer_districts(sources, folder):
    stations = [row for row in sources.stations if row["city"] == "新北市" and row["district"] not in NEW_TAIPEI]
    districts = len({row["district"] for row in stations})
    return listing(
        "taipei",
        {
            "en": f"YouBike stations in the {districts} outer districts of New Taipei",
            "zh-Hant": f"新北市其他 {districts} 區 YouBike 站點",
        },
        {
            "en": f"{len(stations)} docks from Xizhi and Yonghe to the north coast and the tea hills of Pinglin, where some "
            "districts have fewer than five.",
            "zh-Hant": f"汐止、永和至北海岸與坪林山區共 {len(stations)} 個站點,其中數區站點不足五個。",
        },
        "transport",
        ["bicycles", "sharing", "stations", "rural"],
        [
            folder.geojson("taipei/youbike-new-taipei-outer.geojson", [_dock(row) for row in stations]),
            _table(folder, "taipei/youbike-new-taipei-outer.csv", stations, "新北市其他行政區YouBike站點.csv"),
        ],
        place="New Taipei",
        bbox=bbox([(row["lon"], row["lat"]) for row in stations]),
        update_frequency="irregular",
        use_cases=["Compare access to bicycle sharing in dense and in rural districts"],
        licence=LICENCE,
    )


def _dock(row):
    return point(row["lon"], row["lat"], {"station": row["station"], "district": row["district"], "city": row["city"]})


def _table(folder, path, stations, name):
    """The capital's tables are UTF-8 with a byte order mark; its neighbour's are Big5 where Big5 has every character."""
    rows = [{label: row[key] for key, label in COLUMNS.items()} for row in stations]
    big5 = stations[0]["city"] == "新北市" and all(map(fits_big5, stations))
    encoding = "cp950" if big5 else "utf-8-sig"
    return folder.csv(path, rows, encoding=encoding, name=name)
