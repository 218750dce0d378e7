"""Writers for the extracts: one function per format, every byte predictable."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class Folder:
    """The `demo/` folder; hands out `{"path", "name"}` entries for listings."""

    def __init__(self, root):
        self.root = Path(root)

    def _put(self, path, name, raw):
        target = self.root / "data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise ValueError(f"{path} is written twice")
        target.write_bytes(raw)
        return {"path": f"data/{path}", "name": name or target.name}

    def text(self, path, text, name=None):
        return self._put(path, name, text.encode("utf-8"))

    def csv(self, path, rows, columns=None, encoding="utf-8", name=None):
        """Writes dictionaries as CSV with CRLF, as the original portals do.

        `encoding` is a Python codec: `utf-8`, `utf-8-sig` (with a byte order
        mark), `cp950` (what Taiwanese portals call Big5) or `cp932` (what
        Japanese portals call Shift_JIS). A character the codec lacks is an
        error, never a silent question mark.
        """
        columns = columns or list(rows[0])
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return self._put(path, name, out.getvalue().encode(encoding))

    def json(self, path, value, name=None):
        return self._put(path, name, _lines_of(value).encode("utf-8"))

    def geojson(self, path, features, name=None):
        head = '{"type":"FeatureCollection","features":'
        return self._put(path, name, (head + _lines_of(features).rstrip("\n") + "}\n").encode("utf-8"))

    def parquet(self, path, rows, schema, compression="zstd", name=None):
        """Writes dictionaries as Parquet; `schema` is a list of (column, Arrow type)."""
        table = pa.Table.from_pylist(
            [{column: row.get(column) for column, _ in schema} for row in rows], schema=pa.schema(schema)
        )
        sink = io.BytesIO()
        level = 19 if compression == "zstd" else None
        pq.write_table(table, sink, compression=compression, compression_level=level)
        return self._put(path, name, sink.getvalue())


def _lines_of(items):
    """One compact record a line: small, and still readable in a diff."""
    dump = lambda item: json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return "[\n" + ",\n".join(dump(item) for item in items) + "\n]\n"


def fits_big5(row):
    """Whether every character exists in code page 950 and reads the same in web browsers' Big5."""
    text = "".join(str(value) for value in row.values())
    try:
        return text.encode("cp950").decode("big5hkscs") == text
    except UnicodeError:
        return False


def point(lon, lat, properties):
    return _feature("Point", [lon, lat], properties)


def line(start, end, properties):
    return _feature("LineString", [list(start), list(end)], properties)


def cell(west, south, east, north, properties):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return _feature("Polygon", [ring], properties)


def _feature(kind, coordinates, properties):
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def bbox(positions):
    """[min_lon, min_lat, max_lon, max_lat] of (lon, lat) pairs, to five digits (about a metre)."""
    lons, lats = zip(*positions)
    # A single place gets a box of about a hundred metres: a box without area is refused in many tools.
    margin = 0.0005 if len(set(positions)) == 1 else 0.0
    corners = (min(lons) - margin, min(lats) - margin, max(lons) + margin, max(lats) + margin)
    return [round(degrees, 5) for degrees in corners]
