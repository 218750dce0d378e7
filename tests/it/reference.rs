//! A provider states in which zone and system the values of a file are: checked, carried on, shown, and used.

use entity::{
    file,
    ids::{FileId, GrantId, ListingId},
    states::Coverage,
};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use torv::catalog::renditions;

use crate::support::{Answer, TestApp, TestOrg, on_both};

/// Levels in the harbour of Aarhus through the night in which clocks went back, and places in metres of EPSG:25832.
const LEVELS: &str = "x,y,at,level\n574000,6222000,2021-10-31 01:50,112\n574000,6222000,2021-10-31 02:10,118\n\
    574000,6222000,2021-10-31 03:10,121\n";
/// The instants of the same: the first and the second half hour are twenty minutes apart, the third is two hours later.
const INSTANTS: [&str; 3] = ["2021-10-30T23:50:00Z", "2021-10-31T00:10:00Z", "2021-10-31T02:10:00Z"];
/// As PROJ 9 has it.
const PLACE: (f64, f64) = (10.190_766_927_5, 56.137_305_011_3);

async fn upload(app: &TestApp, org: &TestOrg, revision: &str, query: &str, body: &'static str) -> Answer {
    let path = format!("/api/v1/revisions/{revision}/files/levels.csv{query}");
    app.as_org(org, "PUT", &path).body(body).send().await
}

async fn state(app: &TestApp, org: &TestOrg, file: &str, reference: &Value) -> Answer {
    app.as_org(org, "PUT", &format!("/api/v1/files/{file}/reference")).json(reference).send().await
}

async fn publish(app: &TestApp, org: &TestOrg, revision: &str) {
    app.post(org, &format!("/api/v1/revisions/{revision}/publish")).await.expect(200);
    app.run_jobs().await;
}

/// A file of a revision as somebody is shown it who is not logged in.
async fn shown(app: &TestApp, revision: &str) -> Value {
    app.get(&format!("/api/v1/revisions/{revision}")).await.expect(200).json()["files"][0].clone()
}

fn said(file: &Value) -> (Option<&str>, Option<&str>) {
    (file["time_zone"].as_str(), file["crs"].as_str())
}

async fn granted(app: &TestApp, provider: &TestOrg, listing: &str) -> (TestOrg, GrantId) {
    let (buyer, listing) = (app.buyer().await, listing.parse::<ListingId>().unwrap());
    let grant = app.bare_grant(provider, &buyer, listing, Coverage::Snapshot, 1).await;
    (buyer, grant)
}

async fn rendition(app: &TestApp, file: &Value, format: &str) -> String {
    let link = file["renditions"].as_array().unwrap().iter().find(|one| one["format"] == format).unwrap();
    app.get(link["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap()).await.expect(200).text()
}

on_both! {
    async fn what_is_stated_is_used_and_shown(app) {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let revision = app.open_revision(&provider, &listing).await;
        let query = "?time_zone=Europe/Copenhagen&crs=25832";
        let file = upload(app, &provider, &revision, query, LEVELS).await.expect(201).json();
        assert_eq!(said(&file), (Some("Europe/Copenhagen"), Some("EPSG:25832")));
        publish(app, &provider, &revision).await;
        app.post(&provider, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
        let public = shown(app, &revision).await;
        assert_eq!(said(&public), (Some("Europe/Copenhagen"), Some("EPSG:25832")));
        assert!(public["renditions"].as_array().unwrap().iter().all(|one| one["state"] == "made"), "{public}");
        assert_eq!(public["renditions"][4]["crs"], "EPSG:25832", "what the coordinates were given in is recorded");

        let (buyer, grant) = granted(app, &provider, &listing).await;
        let files = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{grant}/files")).send().await.expect(200).json();
        let item = &files["items"][0];
        assert_eq!(said(item), (Some("Europe/Copenhagen"), Some("EPSG:25832")));
        let document: Value = serde_json::from_str(&rendition(app, item, "geojson").await).unwrap();
        let at = &document["features"][0]["geometry"]["coordinates"];
        assert!((at[0].as_f64().unwrap() - PLACE.0).abs() < 1e-7 && (at[1].as_f64().unwrap() - PLACE.1).abs() < 1e-7, "{at}");
        assert_eq!(rendition(app, item, "csv").await, LEVELS, "the texts stay as they were written");
        let id: FileId = item["id"].as_str().unwrap().parse().unwrap();
        let parquet = renditions::find_parquet(app.app.db.read(), id).await.unwrap().unwrap();
        assert_eq!(parquet.columns[2].source_zone.as_deref(), Some("Europe/Copenhagen"));
        let rows = app.as_org(&buyer, "GET", &format!("/api/v1/listings/{listing}/rows?columns=at&order=at")).send().await;
        let rows = rows.expect(200).json();
        let instants: Vec<&str> = rows["items"].as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap()).collect();
        assert_eq!(instants, INSTANTS, "as instants, the hour that came twice is where it was");
        let until = format!("/api/v1/listings/{listing}/rows?columns=level&at.lt=2021-10-31T01:00:00Z");
        let early = app.as_org(&buyer, "GET", &until).send().await.expect(200).json();
        assert_eq!(early["items"].as_array().unwrap().len(), 2);
    }

    async fn another_zone_gives_other_instants_and_none_gives_the_clock(app) {
        for (query, first) in [("?time_zone=Asia/Taipei", "2021-10-30T17:50:00Z"), ("", "2021-10-31T01:50:00Z")] {
            let provider = app.provider().await;
            let listing = app.draft(&provider, &json!({})).await;
            let revision = app.open_revision(&provider, &listing).await;
            upload(app, &provider, &revision, query, LEVELS).await.expect(201);
            publish(app, &provider, &revision).await;
            app.post(&provider, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
            let (buyer, _) = granted(app, &provider, &listing).await;
            let rows = app.as_org(&buyer, "GET", &format!("/api/v1/listings/{listing}/rows?columns=at&limit=1")).send().await;
            assert_eq!(rows.expect(200).json()["items"][0]["at"], first);
            let own = app.as_org(&provider, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200).json();
            let geojson = &own["files"][0]["renditions"][3];
            assert_eq!((&geojson["format"], &geojson["state"]), (&json!("geojson"), &json!("not_applicable")), "x and y of what?");
        }
    }

    async fn it_is_stated_until_the_revision_is_published(app) {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let revision = app.open_revision(&provider, &listing).await;
        let file = upload(app, &provider, &revision, "", LEVELS).await.expect(201).json();
        assert_eq!(said(&file), (None, None));
        let id = file["id"].as_str().unwrap();
        let zone = json!({"time_zone": "Europe/Copenhagen"});
        assert_eq!(said(&state(app, &provider, id, &zone).await.expect(200).json()), (Some("Europe/Copenhagen"), None));
        let both = json!({"time_zone": "Asia/Tokyo", "crs": "urn:ogc:def:crs:EPSG::6671"});
        assert_eq!(said(&state(app, &provider, id, &both).await.expect(200).json()), (Some("Asia/Tokyo"), Some("EPSG:6671")));
        assert_eq!(said(&state(app, &provider, id, &json!({})).await.expect(200).json()), (None, None), "a PUT replaces");
        state(app, &provider, id, &both).await.expect(200);
        let stranger = app.provider().await;
        state(app, &stranger, id, &both).await.expect(404);
        publish(app, &provider, &revision).await;
        let refused = state(app, &provider, id, &zone).await.expect(409);
        assert!(refused.text().contains("Open a new one"), "{}", refused.text());
        assert_eq!(app.audited(id).await, ["file.set_reference"; 4]);
        let row: FileId = id.parse().unwrap();
        let changed = app.app.db.write("test.change", move |tx| async move {
            let change = file::ActiveModel { id: sea_orm::ActiveValue::Unchanged(row), crs: sea_orm::ActiveValue::Set(None), ..Default::default() };
            file::Entity::update(change).exec(tx.conn()).await?;
            Ok(((), tx))
        });
        assert!(changed.await.is_err(), "the database refuses it too");
    }

    async fn the_next_file_of_the_name_has_it_unless_something_else_is_said(app) {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let first = app.open_revision(&provider, &listing).await;
        upload(app, &provider, &first, "?time_zone=Europe/Copenhagen&crs=EPSG:25832", LEVELS).await.expect(201);
        let replaced = upload(app, &provider, &first, "", LEVELS).await.expect(200).json();
        assert_eq!(said(&replaced), (Some("Europe/Copenhagen"), Some("EPSG:25832")), "so has one that replaces it");
        publish(app, &provider, &first).await;
        let second = app.open_revision(&provider, &listing).await;
        let carried = upload(app, &provider, &second, "", LEVELS).await.expect(201).json();
        assert_eq!(said(&carried), (Some("Europe/Copenhagen"), Some("EPSG:25832")));
        let other = app.upload(&provider, &second, "other.csv", LEVELS).await.expect(201).json();
        assert_eq!(said(&other), (None, None), "another name is another file");
        let changed = upload(app, &provider, &second, "?time_zone=&crs=EPSG:25833", LEVELS).await.expect(200).json();
        assert_eq!(said(&changed), (None, Some("EPSG:25833")));
    }

    async fn what_is_not_known_is_refused_with_advice(app) {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let revision = app.open_revision(&provider, &listing).await;
        for (query, pointer, advice) in [
            ("?time_zone=Europe/Kopenhagen", "time_zone", "IANA"),
            ("?time_zone=europe/copenhagen", "time_zone", "Did you mean Europe/Copenhagen?"),
            ("?time_zone=%2B01:00", "time_zone", "no offset"),
            ("?crs=EPSG:99999", "crs", "25828 to 25838"),
            ("?crs=WGS84", "crs", "EPSG:4326"),
        ] {
            let refused = upload(app, &provider, &revision, query, LEVELS).await.expect(422);
            assert_eq!(refused.str("/errors/0/pointer"), pointer, "{query}");
            assert!(refused.str("/errors/0/detail").contains(advice), "{}", refused.text());
        }
        upload(app, &provider, &revision, "?zone=Europe/Copenhagen", LEVELS).await.expect(422);
        let file = upload(app, &provider, &revision, "", LEVELS).await.expect(201).str("/id");
        let refused = state(app, &provider, &file, &json!({"time_zone": "CEST", "crs": "25832 or so"})).await.expect(422);
        assert_eq!((refused.str("/errors/0/pointer"), refused.str("/errors/1/pointer")), ("/time_zone".to_owned(), "/crs".to_owned()));
    }

    async fn a_system_that_can_not_be_is_told_to_the_owner(app) {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let revision = app.open_revision(&provider, &listing).await;
        upload(app, &provider, &revision, "?crs=EPSG:25832", "x,y\n10.19,56.13\n").await.expect(201);
        publish(app, &provider, &revision).await;
        let own = app.as_org(&provider, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200).json();
        let geojson = &own["files"][0]["renditions"][3];
        assert_eq!((&geojson["format"], &geojson["state"]), (&json!("geojson"), &json!("not_applicable")));
        assert!(geojson["reason"].as_str().unwrap().contains("look like degrees"), "{geojson}");
    }
}
