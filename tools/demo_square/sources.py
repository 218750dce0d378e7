"""Readers of the source folder. Its layout is the one `demo/NOTICE.md` documents."""

import csv
import io
import json
import re
import zipfile
from functools import cached_property
from pathlib import Path

import pyarrow as pa

FUKUI_DAYS = [f"2021-08-{day}" for day in range(14, 21)]
_TRAFFIC = "feeds/aarhus_traffic/"


class Sources:
    """Lazily read, never written."""

    def __init__(self, root):
        self.root = Path(root)

    def _csv(self, path):
        return list(csv.DictReader(io.StringIO((self.root / path).read_text("utf-8-sig"))))

    @cached_property
    def stations(self):
        """YouBike docks of Taipei and New Taipei."""
        lines = (self.root / "feeds/taipei_youbike/site_details_Taipei.txt").read_text("utf-8").splitlines()
        rows = [line.split(" ") for line in lines[1:] if line.strip()]
        return [
            {"station": name, "district": area, "city": city, "lat": float(lat), "lon": float(lon)}
            for name, area, lat, lon, city in rows
        ]

    def municipal(self, file_name):
        """One city's or county's portal list; field sets differ from portal to portal."""
        return json.loads((self.root / "catalogues/tw_municipal" / file_name).read_text("utf-8"))

    @cached_property
    def national(self):
        """The data.gov.tw list of July 2018, without the blank lines at its end."""
        rows = self._csv("catalogues/tw_data_gov_tw_list_2018-07.csv")
        return [row for row in rows if row["提供機關名稱"] and row["資料集名稱"]]

    def river_day(self, day):
        """Raw readings; times such as 24:00 and levels such as * are left as published."""
        return self._csv(f"feeds/fukui_river_levels/{day}.csv")

    @cached_property
    def sensors(self):
        """River gauges with thresholds and a position decoded from Geo3x3."""
        rows = self._csv("feeds/fukui_river_levels/sensors.csv")
        for row in rows:
            row["緯度"], row["経度"] = decode_geo3x3(row["geo3x3"])
            for column, value in row.items():
                if isinstance(value, str):
                    row[column] = "" if value.strip("\xa0 ") == "---" else value.strip("\xa0 ")
        return rows

    @cached_property
    def routes(self):
        return self._csv(_TRAFFIC + "c3097987-c394-4092-ad1d-ad86a81dbf37.csv")

    @cached_property
    def traffic(self):
        return self._csv(_TRAFFIC + "b3eeb0ff-c8a8-4824-99d6-e0a3747c8b0d.csv")

    @cached_property
    def gtfs_feeds(self):
        return self._csv("gtfs/gtfs-jp-list.csv")

    @cached_property
    def gtfs_realtime(self):
        return self._csv("gtfs/gtfs-rt-list.csv")

    @cached_property
    def kobe(self):
        """GTFS tables of the Kobe subway by file name. The office telephone column is dropped."""
        tables = {}
        with zipfile.ZipFile(self.root / "gtfs/kobe_subway_gtfs.zip") as archive:
            for name in sorted(archive.namelist()):
                tables[name] = list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"))))
        for row in tables["agency.txt"]:
            del row["agency_phone"]
        return tables

    @cached_property
    def portals(self):
        """The world's data portals, cut to the columns that name no person and hold no contact."""
        path = str(self.root / "portal_registry/dataportals_registry_full_2026-08-22.jsonl.zst")
        with pa.input_stream(path, compression="zstd") as stream:
            lines = stream.read().decode("utf-8").splitlines()
        return [_portal(json.loads(line)) for line in lines if line.strip()]


def _portal(entry):
    countries = [part["location"]["country"]["id"] for part in entry["coverage"]]
    return {
        "uid": entry["uid"],
        "name": entry["name"],
        "link": entry["link"],
        "countries": countries,
        "catalog_type": entry["catalog_type"],
        "software": (entry.get("software") or {}).get("id"),
        "owner": entry["owner"]["name"],
        "owner_type": entry["owner"].get("type"),
        "languages": [language["id"] for language in entry["langs"]],
        "status": entry["status"],
        "api": entry.get("api"),
        "endpoints": [
            {"type": endpoint["type"], "url": endpoint["url"]}
            for endpoint in entry.get("endpoints", [])
            if endpoint.get("url")
        ],
    }


def decode_geo3x3(code):
    """(lat, lon) in degrees of a Geo3x3 cell's centre. Source: https://geo3x3.com/"""
    lat, lon, unit = -90.0, 0.0, 180.0
    for digit in code[1:]:
        unit /= 3
        row, column = divmod(int(digit) - 1, 3)
        lat += row * unit
        lon += column * unit
    lon -= 180.0 if code[0] == "W" else 0.0
    return round(lat + unit / 2, 5), round(lon + unit / 2, 5)


def level_m(text):
    """A water level in metres, or None where the gauge reported nothing."""
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def count(text):
    """A whole number written with thousands separators, or None."""
    digits = str(text if text is not None else "").replace(",", "").strip()
    return int(digits) if digits.isdigit() else None
