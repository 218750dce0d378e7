"""Distances and square cells on the ground, good to about 0.5 % over one city."""

import math
from collections import Counter

METRES_PER_DEGREE = 111_320.0


def metres(a, b):
    """Distance between two (lon, lat) positions on a sphere, in metres."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*a, *b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_000 * math.asin(math.sqrt(half))


def count_cells(positions, side_m):
    """[((west, south, east, north), count)] of the occupied cells, in a grid that starts at the south-west corner."""
    west, south = min(lon for lon, _ in positions), min(lat for _, lat in positions)
    middle = math.radians(sum(lat for _, lat in positions) / len(positions))
    step_lat = side_m / METRES_PER_DEGREE
    step_lon = step_lat / math.cos(middle)
    cells = Counter((int((lon - west) / step_lon), int((lat - south) / step_lat)) for lon, lat in positions)
    for (x, y), number in sorted(cells.items()):
        corners = (west + x * step_lon, south + y * step_lat, west + (x + 1) * step_lon, south + (y + 1) * step_lat)
        yield tuple(round(value, 6) for value in corners), number


def hull_km2(positions):
    """Area of the convex hull of (lon, lat) positions, in square kilometres."""
    middle = math.radians(sum(lat for _, lat in positions) / len(positions))
    scale = METRES_PER_DEGREE / 1000
    flat = sorted({(lon * scale * math.cos(middle), lat * scale) for lon, lat in positions})
    if len(flat) < 3:
        return 0.0
    ring = _chain(flat)[:-1] + _chain(flat[::-1])[:-1]
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1]))
    return abs(twice) / 2


def _chain(points):
    chain = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
