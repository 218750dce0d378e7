"""The whole square: who trades on it, and every listing in a fixed order."""

from . import aarhus, civic, demand, fukui, hydrology, mobility, portals, taipei, taiwan

PROVIDERS = [
    {"key": "taipei", "name": "Taipei data desk (demo)", "kind": "public_sector", "country": "TW"},
    {"key": "taiwan", "name": "Taiwan catalogue desk (demo)", "kind": "public_sector", "country": "TW"},
    {"key": "fukui", "name": "Fukui river desk (demo)", "kind": "public_sector", "country": "JP"},
    {"key": "aarhus", "name": "Aarhus traffic desk (demo)", "kind": "public_sector", "country": "DK"},
    {"key": "civic", "name": "Open Timetable Volunteers (demo)", "kind": "ngo", "country": "JP"},
    {"key": "cartographer", "name": "The Portal Cartographer (demo)", "kind": "individual", "country": "DK"},
    {"key": "hydro", "name": "Echizen Hydrometrics (demo)", "kind": "company", "country": "JP"},
    {"key": "mobility", "name": "Nordlys Mobility Lab (demo)", "kind": "company", "country": "DK"},
    {"key": "formosa", "name": "Jade Mountain Data Works (demo)", "kind": "company", "country": "TW"},
]
BUYERS = [
    {"key": "harbour", "name": "Harbour Logistics (demo)", "country": "DK"},
    {"key": "riverguard", "name": "Riverguard Insurance (demo)", "country": "JP"},
    {"key": "wayfinder", "name": "Wayfinder Maps (demo)", "country": "TW"},
    {"key": "northgrid", "name": "Northgrid Analytics (demo)", "country": "DE"},
]
# Folder of a listing's first file -> the credit its licence asks for; CC0 asks for none.
CREDITS = {
    "taipei": "City of Taipei and City of New Taipei, YouBike station list",
    "taiwan": "data.gov.tw and municipal portals of Taiwan, July 2018",
    "fukui": "Fukui prefecture river information system, collected by Taisuke Fukuno",
    "aarhus": "Aarhus Kommune, Open Data DK, CC BY 4.0",
    "kobe": "Code for Kobe and City of Kobe",
    "portals": "dataportals-registry, Common Data Index, CC BY 4.0",
    "hydro": "computed from Fukui prefecture river information, collected by Taisuke Fukuno",
    "mobility": "computed from Aarhus Kommune, Open Data DK, CC BY 4.0",
    "formosa": "computed from open data of data.gov.tw, municipal portals and YouBike",
    "data/hydro/feeds-by-prefecture.csv": "computed from gtfs-jp-list, CC0",
    "data/mobility/nordic-endpoints.parquet": "computed from dataportals-registry, Common Data Index, CC BY 4.0",
}


def build(sources, folder):
    """Writes every extract and returns the description the product reads."""
    families = [taipei, taiwan, fukui, aarhus, civic, portals, hydrology, mobility, demand]
    listings = [entry for family in families for entry in family.listings(sources, folder)]
    for entry in listings:
        path = entry["files"][0]["path"]
        credit = CREDITS.get(path) or CREDITS.get(path.split("/")[1])
        if credit:
            entry["summary"]["en"] += f" Source: {credit}."
    return {"providers": PROVIDERS, "buyers": BUYERS, "listings": listings}
