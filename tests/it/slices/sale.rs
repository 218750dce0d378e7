//! Ordering, downloading, refunding: a slice is an order like any other.

use serde_json::json;

use super::{buy, by_row, expected, files, instant, lines, market, order_in, path, quote, seen};
use crate::{
    after_sale::issue,
    support::{TestApp, on_every_store},
};

const AREA: [f64; 4] = [12.0, 55.0, 13.5, 56.5];

fn wanted() -> serde_json::Value {
    json!({"area": AREA, "period": {"from": instant(0), "to": instant(500)}, "columns": ["level"]})
}

async fn verified(app: &TestApp) {
    let report = torv::settlement::verify::verify_all(&app.app, |_, _| {}).await.expect("reads");
    assert!(report.is_clean(), "{:?}", report.all_violations().collect::<Vec<_>>());
}

on_every_store! {
    async fn what_is_bought_is_what_was_quoted_and_what_a_plain_look_finds(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let quoted = quote(app, &sale, &wanted()).await.expect(200).json();
        let mut body = order_in(&sale, &wanted());
        body["expected_total"] = quoted["total"].clone();
        let order = app.order_with(&buyer, "k", &body).await.expect(201).json();
        assert_eq!((&order["total"], &order["lines"][0]["slice"]), (&quoted["total"], &quoted["slice"]));
        let again = app.order_with(&buyer, "k", &body).await.expect(200).json();
        assert_eq!(again["id"], order["id"]);
        let grant = order["grant_id"].as_str().unwrap().parse().unwrap();
        let waiting = seen(app, &buyer, grant).await;
        assert_eq!((&waiting["slice"]["state"], &waiting["coverage"]), (&json!("preparing"), &json!("snapshot")));
        assert!(files(app, &buyer, grant).await.expect(409).text().contains("being prepared"));
        app.run_jobs().await;
        let ready = seen(app, &sale.provider, grant).await;
        assert_eq!((&ready["slice"]["state"], &ready["slice"]["rows"]), (&json!("ready"), &quoted["slice"]["rows"]));
        let listed = files(app, &buyer, grant).await.expect(200).json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed["items"][0]["name"], "levels_slice.parquet");
        let names: Vec<String> = lines(app, &listed).await.iter().map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert_eq!(names, expected(Some(AREA), Some((0, 500))));
        assert_eq!(quoted["slice"]["rows"], names.len());
        verified(app).await;
    }

    async fn each_format_of_a_slice_has_its_rows_and_columns_and_says_what_it_is(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let (_, grant) = buy(app, &sale, &buyer, &wanted(), "k").await;
        app.run_jobs().await;
        let listed = files(app, &buyer, grant).await.expect(200).json();
        let item = &listed["items"][0];
        let parquet = app.get(&path(item)).await.expect(200);
        assert_eq!(torv::base::digest::sha256_hex(&parquet.bytes), item["sha256"].as_str().unwrap());
        let bytes = String::from_utf8_lossy(&parquet.bytes).into_owned();
        assert!(bytes.contains("torv.slice") && bytes.contains(&sale.licence_hash) && bytes.contains(&grant.to_string()));
        let formats: Vec<&str> = item["renditions"].as_array().unwrap().iter().map(|one| one["format"].as_str().unwrap()).collect();
        assert_eq!(formats, ["csv", "jsonl", "geojson"]);
        let rows = expected(Some(AREA), Some((0, 500))).len();
        let collection = app.get(&path(&item["renditions"][2])).await.expect(200).json();
        let features = collection["features"].as_array().unwrap();
        assert_eq!(features.len(), rows);
        let properties: Vec<&String> = features[0]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(properties, ["at", "level", "name"]);
        let objects = app.get(&path(&item["renditions"][1])).await.expect(200).text();
        assert_eq!(objects.lines().count(), rows);
        app.app.recorder.flush().await;
        let noted = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{grant}/deliveries")).send().await.expect(200).json();
        assert_eq!(noted["items"].as_array().unwrap().len(), 3);
    }

    async fn another_price_than_the_accepted_one_buys_nothing(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let mut body = order_in(&sale, &wanted());
        body["expected_total"] = json!({"minor": 99, "currency": "EUR"});
        let refused = app.order_with(&buyer, "k", &body).await.expect(409);
        assert_eq!(refused.str("/type"), "/problems/price-changed");
        assert!(app.orders_of(&buyer).await.is_empty());
    }

    async fn a_slice_stays_that_of_its_revision(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let (_, grant) = buy(app, &sale, &buyer, &wanted(), "k").await;
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", "name,lat,lon,at,level\nx,55.5,12.5,2026-01-02T00:00:00Z,1\n").await;
        app.run_jobs().await;
        let listed = files(app, &buyer, grant).await.expect(200).json();
        assert_eq!((&listed["items"][0]["revision_number"], lines(app, &listed).await.len()),
            (&json!(1), expected(Some(AREA), Some((0, 500))).len()));
    }

    async fn a_refund_closes_a_slice(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let operator = app.operator().await;
        let (order, grant) = buy(app, &sale, &buyer, &wanted(), "k").await;
        app.run_jobs().await;
        let link = path(&files(app, &buyer, grant).await.expect(200).json()["items"][0]);
        app.get(&link).await.expect(200);
        issue(app, &operator, order["id"].as_str().unwrap().parse().unwrap(), None, "back").await.expect(201);
        app.run_jobs().await;
        files(app, &buyer, grant).await.expect(410);
        app.get(&link).await.expect(410);
        verified(app).await;
    }
}
