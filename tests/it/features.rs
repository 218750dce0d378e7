//! OGC API Features as desktop tools ask for them.

use std::{collections::BTreeSet, sync::Arc};

use arrow_array::{ArrayRef, BinaryArray, Int64Array};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entity::states::{Coverage, GrantState};
use serde_json::{Value, json};

use crate::support::{Answer, Granted, TestApp, gauges, on_both, parquet, point};

/// A grant on 100 gauges, and the address of their collection.
async fn granted(app: &TestApp) -> (Granted, String) {
    let granted = app.granted(Coverage::WhileActive, 1).await;
    app.table(granted.listing, 1, "gauges.parquet", &gauges(100, 10)).await;
    let all = get(app, &granted, "/ogc/collections").await.expect(200).json();
    let address = link(&all["collections"][0], "self");
    (granted, address)
}

async fn get(app: &TestApp, granted: &Granted, path: &str) -> Answer {
    app.as_org(&granted.buyer, "GET", path).send().await
}

/// The address of a link, without its host.
fn link(of: &Value, rel: &str) -> String {
    let links = of["links"].as_array().expect("links");
    let one = links.iter().find(|link| link["rel"] == rel).unwrap_or_else(|| panic!("no {rel}: {of}"));
    one["href"]
        .as_str()
        .and_then(|href| href.strip_prefix("http://127.0.0.1:8080"))
        .expect("our own address")
        .to_owned()
}

fn ids(page: &Value) -> Vec<i64> {
    page["features"].as_array().expect("features").iter().map(|one| one["id"].as_i64().expect("an id")).collect()
}

on_both! {
    async fn links_lead_from_the_landing_page_to_each_feature(app) {
        let (granted, _) = granted(app).await;
        for path in ["/ogc", "/ogc/"] {
            let landing = app.get(path).await.expect(200).json();
            for rel in ["self", "service-desc", "service-doc", "conformance", "data"] {
                let status = get(app, &granted, &link(&landing, rel)).await.status;
                assert_eq!(status, 200, "{rel}");
            }
        }
        let conformance = app.get("/ogc/conformance").await.expect(200).json();
        assert_eq!(conformance["conformsTo"][0], "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core");
        let all = get(app, &granted, "/ogc/collections").await.expect(200).json();
        let one = &all["collections"][0];
        assert_eq!((&one["itemType"], &all["collections"][1]), (&json!("feature"), &Value::Null));
        assert_eq!(one["extent"]["spatial"]["bbox"], json!([[0.0, 36.0, 179.0, 36.0]]));
        assert_eq!(get(app, &granted, &link(one, "self")).await.expect(200).json(), *one);
        let queryables = get(app, &granted, &link(one, "http://www.opengis.net/def/rel/ogc/1.0/queryables")).await.expect(200);
        assert_eq!(queryables.header("content-type"), "application/schema+json");
        assert_eq!(queryables.json()["properties"]["at"], json!({"type": "string", "format": "date-time"}));
        let items = get(app, &granted, &link(one, "items")).await.expect(200);
        assert_eq!(items.header("content-type"), "application/geo+json");
        assert_eq!(items.header("content-crs"), "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>");
        let page = items.json();
        assert_eq!((&page["type"], &page["numberReturned"], &page["timeStamp"]), (&json!("FeatureCollection"), &json!(10), &json!("2026-11-21T10:00:00Z")));
        let feature = get(app, &granted, &format!("{}/7", link(one, "items"))).await.expect(200).json();
        assert_eq!(feature["geometry"], json!({"type": "Point", "coordinates": [7.0, 36.0]}));
        assert_eq!((&feature["id"], &feature["properties"]["number"]), (&json!(7), &json!(7)));
        assert!(feature["properties"].get("geometry").is_none());
        get(app, &granted, &link(&feature, "self")).await.expect(200);
        for missing in ["100", "-1", "x"] {
            get(app, &granted, &format!("{}/{missing}", link(one, "items"))).await.expect(404);
        }
    }

    async fn pages_follow_each_other_by_their_links(app) {
        let (granted, address) = granted(app).await;
        for (query, expected) in [("limit=7", 0..100), ("limit=3&bbox=10,35,19,37", 10..20), ("limit=100", 0..100), ("limit=99999", 0..100)] {
            let (mut next, mut seen) = (Some(format!("{address}/items?{query}")), Vec::new());
            while let Some(path) = next {
                let page = get(app, &granted, &path).await.expect(200).json();
                assert_eq!(page["numberReturned"], page["features"].as_array().unwrap().len());
                seen.extend(ids(&page));
                next = page["links"].as_array().unwrap().iter().any(|link| link["rel"] == "next").then(|| link(&page, "next"));
                assert!(seen.len() <= 100, "pages without end");
            }
            assert_eq!(seen, expected.collect::<Vec<i64>>(), "{query}");
        }
    }

    async fn times_and_properties_narrow_what_comes(app) {
        let (granted, address) = granted(app).await;
        // The gauges are ten minutes apart, from 08:00 of that day on.
        for (query, expected) in [
            ("datetime=2025-11-21T08:00:00Z", 0..1), ("datetime=2025-11-21T08:00:00Z/2025-11-21T08:30:00Z", 0..4),
            ("datetime=../2025-11-21T08:20:00Z", 0..3), ("datetime=2025-11-22T00:00:00Z/..", 96..100),
            ("crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84&number=6", 6..7), ("datetime=2025-11-21", 0..96), ("datetime=2025-11-23", 0..0), ("number=5", 5..6),
        ] {
            let page = get(app, &granted, &format!("{address}/items?limit=1000&{query}")).await.expect(200).json();
            assert_eq!(ids(&page), expected.collect::<Vec<i64>>(), "{query}");
        }
        for query in ["datetime=yesterday", "datetime=../..", "bbox=1,2,3", "bbox=a,b,c,d", "limit=0", "limit=x", "colour=red", "number=red", "page=1", "geometry=x", "crs=http://www.opengis.net/def/crs/EPSG/0/3857"] {
            get(app, &granted, &format!("{address}/items?{query}")).await.expect(400);
        }
    }

    /// Trap: GDAL and QGIS send what they are given as a password; a token is one.
    async fn desktop_tools_send_the_token_as_a_password(app) {
        let (granted, address) = granted(app).await;
        let basic = format!("Basic {}", STANDARD.encode(format!("token:{}", granted.buyer.key)));
        for path in ["/ogc/collections".to_owned(), address.clone(), format!("{address}/items"), format!("{address}/items/1"), format!("{address}/queryables")] {
            app.request("GET", &path).header("authorization", &basic).send().await.expect(200);
            let refused = app.get(&path).await.expect(401);
            assert!(refused.header("www-authenticate").contains("Basic realm="), "{path}");
        }
        let elsewhere = app.get("/api/v1/grants").await.expect(401);
        assert_eq!(elsewhere.header("www-authenticate"), "Bearer", "browsers are not to ask for passwords");
    }

    async fn only_tables_with_wgs84_geometry_of_open_grants_are_collections(app) {
        let (granted, address) = granted(app).await;
        let stranger = app.buyer().await;
        let theirs = app.as_org(&stranger, "GET", "/ogc/collections").send().await.expect(200).json();
        assert_eq!(theirs["collections"], json!([]));
        app.as_org(&stranger, "GET", &format!("{address}/items")).send().await.expect(404);
        let shape: ArrayRef = Arc::new(BinaryArray::from_iter_values([point(1, 2)]));
        let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(Int64Array::from(vec![1]))), ("shape", shape)];
        let mut seen = BTreeSet::new();
        for (number, geo) in [
            None,
            Some(json!({"primary_column": "shape", "columns": {"shape": {"encoding": "WKB", "crs": {"id": {"authority": "EPSG", "code": 3826}}}}})),
            Some(json!({"primary_column": "shape", "columns": {"shape": {"encoding": "WKB", "crs": null}}})),
            Some(json!({"primary_column": "n", "columns": {"n": {"encoding": "WKB"}}})),
            Some(json!({"primary_column": "shape", "columns": {"shape": {"encoding": "WKB", "crs": {"id": {"authority": "OGC", "code": "CRS84"}}}}})),
        ].into_iter().enumerate() {
            let geo = geo.map(|geo| geo.to_string());
            let revision = i32::try_from(number).unwrap() + 2;
            app.table(granted.listing, revision, "shapes.parquet", &parquet(columns.clone(), 10, geo.as_deref())).await;
            let all = get(app, &granted, "/ogc/collections").await.expect(200).json();
            seen.insert((revision, all["collections"].as_array().unwrap().len()));
        }
        assert_eq!(seen, BTreeSet::from([(2, 0), (3, 0), (4, 0), (5, 0), (6, 1)]));
        app.set_grant_state(granted.grant, GrantState::Revoked).await;
        assert_eq!(get(app, &granted, "/ogc/collections").await.expect(200).json()["collections"], json!([]));
        get(app, &granted, &address).await.expect(403);
    }
}
