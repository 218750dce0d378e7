//! Documents of the standard, each with its links.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::service::Collection;
use crate::delivery::tables::{
    cell::{Kind, object},
    filter::kind_of,
    scan::Row,
};

/// What stays as it is in a path segment. Source: RFC 3986, section 2.3 (`unreserved`), and the colon.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
/// Longitude and latitude of WGS 84.
pub(super) const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

const JSON: &str = "application/json";
const GEOJSON: &str = "application/geo+json";

fn link(href: &str, rel: &str, kind: &str, title: &str) -> Value {
    json!({"href": href, "rel": rel, "type": kind, "title": title})
}

/// Where this exchange's features are.
#[derive(Debug, Clone)]
pub(super) struct Base(pub(super) String);

impl Base {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    fn collection(&self, id: &str) -> String {
        self.at(&format!("/ogc/collections/{}", utf8_percent_encode(id, SEGMENT)))
    }

    /// The landing page.
    pub(super) fn landing(&self) -> Value {
        json!({
            "title": "Torv: geodata you hold a grant on",
            "description": "Tables with geometry of your open grants. Send an API key or the token of a share, as \
                            Bearer or as the password of the user `token`.",
            "links": [
                link(&self.at("/ogc"), "self", JSON, "This page"),
                link(&self.at("/openapi.json"), "service-desc", "application/vnd.oai.openapi+json;version=3.1", "The API"),
                link(&self.at("/docs/"), "service-doc", "text/html", "The API, for people"),
                link(&self.at("/ogc/conformance"), "conformance", JSON, "What of the standard is here"),
                link(&self.at("/ogc/collections"), "data", JSON, "The collections"),
            ],
        })
    }

    /// All collections.
    pub(super) fn collections(&self, all: &[Collection]) -> Value {
        let collections: Vec<Value> = all.iter().map(|one| self.one(one)).collect();
        let own = link(&self.at("/ogc/collections"), "self", JSON, "These collections");
        json!({"links": [own], "collections": collections})
    }

    /// One collection.
    pub(super) fn one(&self, one: &Collection) -> Value {
        let id = one.id();
        let here = self.collection(&id);
        let title = format!("{} · {}", one.share.title.best("en"), one.table.name);
        let bbox = one.bbox.unwrap_or([-180.0, -90.0, 180.0, 90.0]);
        json!({
            "id": id, "title": title,
            "description": format!("{} of revision {}", one.table.file.name, one.table.file.number),
            "extent": {"spatial": {"bbox": [bbox], "crs": CRS84}},
            "itemType": "feature", "crs": [CRS84],
            "links": [
                link(&here, "self", JSON, "This collection"),
                link(&format!("{here}/items"), "items", GEOJSON, "Its features"),
                link(&format!("{here}/queryables"), "http://www.opengis.net/def/rel/ogc/1.0/queryables",
                    "application/schema+json", "Its properties"),
            ],
        })
    }

    /// The properties of a collection as a JSON Schema.
    pub(super) fn queryables(&self, one: &Collection) -> Value {
        let schema = &one.footer.schema;
        let properties = schema.fields().iter().enumerate().filter_map(|(column, field)| {
            let described = match kind_of(schema, column) {
                _ if column == one.geometry => json!({"format": "geometry-any", "x-ogc-role": "primary-geometry"}),
                Kind::Boolean => json!({"type": "boolean"}),
                Kind::Integer => json!({"type": "integer"}),
                Kind::Decimal(_) | Kind::Float => json!({"type": "number"}),
                Kind::Text => json!({"type": "string"}),
                Kind::Date => json!({"type": "string", "format": "date"}),
                Kind::Instant => json!({"type": "string", "format": "date-time"}),
                Kind::Other => return None,
            };
            Some((field.name().clone(), described))
        });
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("{}/queryables", self.collection(&one.id())),
            "type": "object", "title": one.table.name,
            "properties": properties.collect::<serde_json::Map<_, _>>(), "additionalProperties": false,
        })
    }

    /// A page of features; `next` is the query of the one after it.
    pub(super) fn items(&self, one: &Collection, rows: &[Row], at: &str, query: &str, next: Option<&str>) -> String {
        let here = self.collection(&one.id());
        let address =
            |query: &str| if query.is_empty() { format!("{here}/items") } else { format!("{here}/items?{query}") };
        let mut links = vec![
            link(&address(query), "self", GEOJSON, "This page"),
            link(&here, "collection", JSON, "The collection"),
        ];
        links.extend(next.map(|next| link(&address(next), "next", GEOJSON, "The next page")));
        let features: Vec<String> = rows.iter().map(|row| feature(one, row, None)).collect();
        format!(
            "{{\"type\":\"FeatureCollection\",\"timeStamp\":\"{at}\",\"numberReturned\":{},\"links\":{},\"features\":[{}]}}",
            rows.len(),
            Value::Array(links),
            features.join(","),
        )
    }

    /// One feature with its links.
    pub(super) fn item(&self, one: &Collection, row: &Row) -> String {
        let here = self.collection(&one.id());
        let own = link(&format!("{here}/items/{}", row.number), "self", GEOJSON, "This feature");
        let links = json!([own, link(&here, "collection", JSON, "The collection")]);
        feature(one, row, Some(&links))
    }
}

fn feature(one: &Collection, row: &Row, links: Option<&Value>) -> String {
    let fields = one.footer.schema.fields();
    let parts = fields.iter().zip(&row.values).enumerate().filter(|(column, _)| *column != one.geometry);
    let (names, values): (Vec<&str>, Vec<Value>) =
        parts.map(|(_, (field, value))| (field.name().as_str(), value.clone())).unzip();
    let geometry = row.values.get(one.geometry).unwrap_or(&Value::Null);
    let links = links.map(|links| format!(",\"links\":{links}")).unwrap_or_default();
    let properties = object(&names, &values);
    format!("{{\"type\":\"Feature\",\"id\":{},\"geometry\":{geometry},\"properties\":{properties}{links}}}", row.number)
}
