"""What Taiwan had opened by July 2018: municipal portals and the national list. OGDL-Taiwan-1.0."""

import re
from datetime import date

import pyarrow as pa

from .files import fits_big5
from .listing import listing
from .sources import count

LICENCE = "OGDL-Taiwan-1.0"
AGENCY, TITLE, TOP = "資料來源(部會單位)", "資料集名稱", "第一層級"
CONTACT = re.compile(r"[\w.]+@[\w.]+\.\w+|\(?0\d{1,2}\)?-\d{6,8}|09\d{2}-?\d{6}")

# fmt: off
# file, slug, English, Chinese, format, theme, agencies kept (empty: all), subject in English and Chinese
MUNICIPAL = [
    ("01_taipei.json", "taipei", "Taipei City", "臺北市", "json", "health", ["社會局", "衛生局"], "social and health", "社會與衛生"),
    ("03_taoyuan.json", "taoyuan", "Taoyuan City", "桃園市", "json", "safety", ["消防局"], "fire brigade", "消防"),
    ("04_hsinchu.json", "hsinchu", "Hsinchu City", "新竹市", "big5", "government", [], "all", "全部"),
    ("05_tainan.json", "tainan", "Tainan City", "臺南市", "json", "environment", ["環境保護局", "交通局", "農業局"], "environment, transport and farming", "環保、交通與農業"),
    ("06_Ilan.json", "yilan", "Yilan County", "宜蘭縣", "json", "government", [], "all", "全部"),
    ("08_taichung.json", "taichung", "Taichung City", "臺中市", "json", "safety", ["警察局", "消防局"], "police and fire", "警察與消防"),
    ("09_kaohsiung.json", "kaohsiung", "Kaohsiung City", "高雄市", "json", "government", [], "most downloaded (30 times or more)", "下載 30 次以上"),
    ("10_kinmen.json", "kinmen", "Kinmen County", "金門縣", "big5", "population", ["戶政", "社會福利"], "household registration and welfare", "戶政與社福"),
    ("11_nantou.json", "nantou", "Nantou County", "南投縣", "json", "government", [], "all", "全部"),
    ("12_chiayi.json", "chiayi-city", "Chiayi City", "嘉義市", "big5", "government", [], "all", "全部"),
    ("13_penghu.json", "penghu", "Penghu County", "澎湖縣", "json", "government", [], "all", "全部"),
    ("15_pingtung.json", "pingtung", "Pingtung County", "屏東縣", "json", "health", ["衛生局", "環境保護局"], "health and environment", "衛生與環保"),
    ("16_keelung.json", "keelung", "Keelung City", "基隆市", "json", "economy", ["稅務局", "產業發展處", "地政處"], "tax, industry and land", "稅務、產業與地政"),
    ("17_miaoli.json", "miaoli", "Miaoli County", "苗栗縣", "big5", "environment", ["環境保護局", "衛生局"], "environment and health", "環保與衛生"),
    ("18_changhua.json", "changhua", "Changhua County", "彰化縣", "json", "housing", ["地方稅務局", "地政"], "property tax and land", "房屋稅與地政"),
    ("19_yunlin.json", "yunlin", "Yunlin County", "雲林縣", "big5", "health", ["消防局", "衛生局"], "fire and health", "消防與衛生"),
    ("20_chiayi_cuntry.json", "chiayi-county", "Chiayi County", "嘉義縣", "json", "population", ["戶政事務所"], "household registration", "戶政"),
    ("21_hualien.json", "hualien", "Hualien County", "花蓮縣", "json", "government", [], "all", "全部"),
]

# agency, slug, English, encoding, theme, use case
NATIONAL = [
    ("行政院主計總處", "statistics", "the Directorate-General of Budget, Accounting and Statistics", "utf-8-sig", "economy", "Find the official series behind a price or wage forecast"),
    ("行政院農業委員會", "agriculture", "the Council of Agriculture", "utf-8", "economy", "Find farm prices and harvest tables worth joining with weather"),
    ("行政院環境保護署", "environment", "the Environmental Protection Administration", "utf-8-sig", "environment", "Choose air and water measurements for an exposure study"),
    ("司法院", "judiciary", "the Judicial Yuan", "utf-8", "government", "See which courts publish their budgets and case counts"),
    ("法務部矯正署", "corrections", "the Agency of Corrections", "cp950", "safety", "Compare what individual prisons disclose"),
    ("衛生福利部中央健康保險署", "health-insurance", "the National Health Insurance Administration", "cp950", "health", "Pick claims statistics for a study of outpatient demand"),
    ("交通部中央氣象局", "weather", "the Central Weather Bureau", "cp950", "meteorology", "Rank forecast and observation sets by real demand"),
    ("衛生福利部疾病管制署", "disease-control", "the Centers for Disease Control", "utf-8-sig", "health", "Locate notifiable-disease counts by age and county"),
    ("文化部", "culture", "the Ministry of Culture", "utf-8", "culture", "Build an events calendar from the sets people really open"),
    ("國家通訊傳播委員會", "communications", "the National Communications Commission", "cp950", "economy", "Map coverage and subscriber statistics that exist as open data"),
    ("原住民族委員會", "indigenous", "the Council of Indigenous Peoples", "utf-8-sig", "culture", "Find place names and language material for tribal areas"),
    ("經濟部能源局", "energy", "the Bureau of Energy", "cp950", "energy", "Assemble fuel price and generation series"),
    ("台灣電力股份有限公司", "taipower", "Taiwan Power Company", "cp950", "energy", "Check which load and outage data a grid study can rely on"),
    ("經濟部水利署", "water", "the Water Resources Agency", "utf-8-sig", "environment", "Find reservoir, rainfall and flood-potential layers"),
    ("經濟部中央地質調查所", "geology", "the Central Geological Survey", "cp950", "science", "Choose fault and landslide layers for a site screening"),
    ("內政部營建署", "construction", "the Construction and Planning Agency", "utf-8", "housing", "Find permits, parks and sewer coverage for a housing model"),
    ("國家教育研究院", "education-research", "the National Academy for Educational Research", "cp950", "education", "Locate bilingual term lists for a translation memory"),
    ("地政司", "land", "the Department of Land Administration", "cp950", "geospatial", "Find parcel, address and price registers to geocode against"),
]
# fmt: on


def listings(sources, folder):
    entries = [_municipal(sources, folder, *row) for row in MUNICIPAL]
    entries += [_agency(sources, folder, *row) for row in NATIONAL]
    entries += [_year(sources, folder, year) for year in range(2013, 2019)]
    return entries


def _municipal(sources, folder, source, slug, english, chinese, form, theme, agencies, subject, subject_zh):
    rows = [row for row in sources.municipal(source) if row.get(TITLE) and not CONTACT.search(str(row.values()))]
    if agencies:
        rows = [row for row in rows if any(agency in str(row.get(AGENCY)) for agency in agencies)]
    if slug == "kaohsiung":
        # The owner column holds a clerk's name in places, so it goes.
        rows = [row for row in rows if row.get(TOP) and (count(row["下載次數"]) or 0) >= 30]
        for row in rows:
            del row[AGENCY]
    columns = sorted({column for row in rows for column in row}, key=list(rows[0]).index)
    if form == "big5":
        rows = [{column: _flat(row.get(column)) for column in columns} for row in rows if fits_big5(row)]
        files = [folder.csv(f"taiwan/{slug}-portal.csv", rows, columns, "cp950", f"{chinese}開放資料清單.csv")]
    else:
        files = [folder.json(f"taiwan/{slug}-portal.json", rows)]
    what = "catalogue" if subject == "all" else f"catalogue: {subject} datasets"
    scope = "every dataset" if subject == "all" else f"the {subject} datasets"
    longest = max(rows, key=lambda row: len(str(row.get("主要欄位") or "")))[TITLE]
    described = f"; the longest field list belongs to “{longest.strip()}”" if "主要欄位" in columns else ""
    return listing(
        "taiwan",
        {"en": f"{english} open data {what}, 2018", "zh-Hant": f"{chinese}政府開放資料清單({subject_zh}),2018 年"},
        {
            "en": f"{len(rows)} entries covering {scope} on the {english} portal in mid-2018, with the {len(columns)} fields "
            f"that portal kept{described}.",
            "zh-Hant": f"2018 年中{chinese}開放資料平臺上{'所有' if subject == 'all' else subject_zh}資料集共 {len(rows)} 筆,保留平臺原有的 {len(columns)} 個欄位。",
        },
        theme,
        ["open data", "catalogue", "municipal", slug],
        files,
        place=f"{english}, Taiwan",
        temporal=("2018-07-01", "2018-07-31"),
        use_cases=[
            f"Take stock of what {english} had opened by 2018",
            "Match differing column names of neighbouring cities",
        ],
        licence=LICENCE,
    )


def _agency(sources, folder, agency, slug, english, encoding, theme, use_case):
    rows = [row for row in sources.national if row["提供機關名稱"] == agency]
    if encoding == "cp950":
        rows = [row for row in rows if fits_big5(row)]
    top = max(rows, key=lambda row: count(row["下載次數"]) or 0)
    name = english[0].upper() + english[1:]
    return listing(
        "taiwan",
        {"en": f"Datasets opened by {english}, 2012–2018", "zh-Hant": f"{agency}開放資料集一覽,2012–2018 年"},
        {
            "en": f"{name} had {len(rows):,} datasets on the national portal in July 2018: title, views, downloads, rating and first "
            f"date. Most downloaded: {top[TITLE].strip()} ({count(top['下載次數']) or 0:,} times).",
            "zh-Hant": f"{agency}於 2018 年 7 月在政府資料開放平臺上架的 {len(rows):,} 個資料集,含瀏覽、下載次數、評分與上架日。",
        },
        theme,
        ["open data", "usage", "national portal", slug],
        [folder.csv(f"taiwan/agency-{slug}.csv", rows, encoding=encoding, name=f"{agency}.csv")],
        place="Taiwan",
        temporal=("2012-01-01", "2018-07-31"),
        update_frequency="yearly",
        use_cases=[use_case],
        licence=LICENCE,
    )


def _year(sources, folder, year):
    rows = [row for row in sources.national if row["上架日"].startswith(str(year))]
    agencies = len({row["提供機關名稱"] for row in rows})
    path = f"taiwan/published-{year}"
    if year < 2014:
        files = [folder.csv(f"{path}.csv", rows, encoding="utf-8-sig")]
    else:
        files = [folder.parquet(f"{path}.parquet", [usage_row(row) for row in rows], USAGE_SCHEMA)]
    until = "July " if year == 2018 else ""
    return listing(
        "taiwan",
        {
            "en": f"Datasets first published on data.gov.tw in {year}" + (", January to July" if until else ""),
            "zh-Hant": f"政府資料開放平臺 {year} 年{'1 至 7 月' if until else ''}上架資料集",
        },
        {
            "en": f"{len(rows):,} datasets of {agencies} agencies that appeared in {year}, with the views and downloads they had "
            "gathered by July 2018.",
            "zh-Hant": f"{year} 年上架的 {len(rows):,} 個資料集,來自 {agencies} 個機關,附至 2018 年 7 月累計的瀏覽與下載次數。",
        },
        "government",
        ["open data", "usage", "national portal", str(year)],
        files,
        place="Taiwan",
        temporal=(f"{year}-01-01", "2018-07-31" if until else f"{year}-12-31"),
        use_cases=[
            "Measure how long a dataset takes to find its readers",
            f"See what the {year} publishing drive left behind",
        ],
        licence=LICENCE,
    )


USAGE_SCHEMA = [
    ("agency", pa.string()),
    ("title", pa.string()),
    ("views", pa.int32()),
    ("downloads", pa.int32()),
    ("rating", pa.int16()),
    ("published", pa.date32()),
]


def usage_row(row):
    """One line of the national list with numbers and a date instead of text."""
    return {
        "agency": row["提供機關名稱"].strip(),
        "title": row[TITLE].strip(),
        "views": count(row["瀏覽人次"]),
        "downloads": count(row["下載次數"]),
        "rating": count(row["資料集評分"]),
        "published": first_day(row["上架日"]),
    }


def first_day(text):
    """The publication date, or None where the portal left it empty."""
    parts = text.strip().split("/")
    return date(*map(int, parts)) if len(parts) == 3 else None


def _flat(value):
    return " ".join(str(value if value is not None else "").split())
