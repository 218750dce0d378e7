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


def build(sources, folder):
    """Writes every extract and returns the description the product reads."""
    families = [taipei, taiwan, fukui, aarhus, civic, portals, hydrology, mobility, demand]
    listings = [entry for family in families for entry in family.listings(sources, folder)]
    return {"providers": PROVIDERS, "buyers": BUYERS, "listings": listings}
