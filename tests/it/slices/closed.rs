//! Every way to rows outside of a slice, tried.

use serde_json::json;

use super::{VISA, buy, by_row, files, market, path};
use crate::support::on_every_store;

on_every_store! {
    async fn a_slice_opens_nothing_of_the_whole_file(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let slice = json!({"area": [12.0, 55.0, 13.0, 56.0], "columns": ["level"]});
        let (_, grant) = buy(app, &sale, &buyer, &slice, "k").await;
        let get = async |path: String| app.as_org(&buyer, "GET", &path).send().await;
        let listing = &sale.listing;
        // Before it is cut out, and after.
        for round in 0..2 {
            let tables = get(format!("/api/v1/listings/{listing}/rows")).await.expect(409);
            assert!(tables.text().contains("delivered as files alone"), "{}", tables.text());
            get(format!("/api/v1/grants/{grant}/changes?file=levels.csv&from=1.0.0")).await.expect(409);
            get(format!("/api/v1/grants/{grant}/share-profile")).await.expect(409);
            app.post(&buyer, &format!("/api/v1/grants/{grant}/share-profile")).await.expect(409);
            get(format!("/api/v1/grants/{grant}/versions")).await.expect(409);
            assert_eq!(get("/delta-sharing/shares".to_owned()).await.expect(200).json()["items"], json!([]));
            assert_eq!(get("/ogc/collections".to_owned()).await.expect(200).json()["collections"], json!([]));
            let accept = json!({"major": 1});
            app.as_org(&buyer, "POST", &format!("/api/v1/grants/{grant}/accept-version")).json(&accept).send().await.expect(409);
            if round == 0 {
                app.run_jobs().await;
            }
        }
        let listed = files(app, &buyer, grant).await.expect(200).json();
        for number in [1, 2] {
            let page = get(format!("/api/v1/grants/{grant}/files?revision={number}")).await.expect(200).json();
            assert_eq!(page["items"].as_array().unwrap().len(), usize::from(number == 1));
        }
        let text = listed.to_string();
        assert!(!text.contains("geoparquet") && !text.contains("levels.csv\""), "{text}");
        let stranger = app.buyer().await;
        files(app, &stranger, grant).await.expect(404);
        app.as_org(&stranger, "GET", &format!("/api/v1/grants/{grant}")).send().await.expect(404);
    }

    async fn links_of_a_slice_and_of_the_whole_do_not_mix(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let rich = app.buyer().await;
        let whole = app.order(&rich, &sale, "w", VISA).await.expect(201).json();
        let whole = whole["grant_id"].as_str().unwrap().parse().unwrap();
        let (_, grant) = buy(app, &sale, &buyer, &json!({"area": [12.0, 55.0, 13.0, 56.0]}), "k").await;
        app.run_jobs().await;
        let (own, all) = (files(app, &buyer, grant).await.expect(200).json(), files(app, &rich, whole).await.expect(200).json());
        assert_eq!(own["items"][0]["id"], all["items"][0]["id"], "both are of one file");
        let csv = |listed: &serde_json::Value| {
            let all = listed["items"][0]["renditions"].as_array().unwrap().clone();
            path(all.iter().find(|one| one["format"] == "csv").unwrap())
        };
        // Facts of files are kept in memory: in either order each link gives its own.
        for _ in 0..2 {
            let part = app.get(&csv(&own)).await.expect(200).text().lines().count();
            let full = app.get(&csv(&all)).await.expect(200).text().lines().count();
            assert!(part < full && full == 241, "{part} of {full}");
        }
    }

    async fn who_has_the_whole_too_goes_on_reading_it(app) {
        let (sale, buyer) = market(app, by_row()).await;
        app.order(&buyer, &sale, "w", VISA).await.expect(201);
        app.clock.advance(time::Duration::seconds(1));
        buy(app, &sale, &buyer, &json!({"area": [12.0, 55.0, 13.0, 56.0]}), "k").await;
        app.run_jobs().await;
        let rows = app.as_org(&buyer, "GET", &format!("/api/v1/listings/{}/rows?limit=1", sale.listing)).send().await;
        rows.expect(200);
        let shares = app.as_org(&buyer, "GET", "/delta-sharing/shares").send().await.expect(200).json();
        assert_eq!(shares["items"].as_array().unwrap().len(), 1);
    }
}
