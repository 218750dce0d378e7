//! Uploading, publishing and profiling files.

use axum::body::{Body, Bytes};
use sea_orm::EntityTrait as _;
use serde_json::json;

use crate::support::{TestApp, TestOrg, on_both};

const CSV: &str = "station,level\nAsuwa,1.25\nKuzuryu,0.5\n";

/// All blobs on disk, whatever the database says.
fn blobs(app: &TestApp) -> Vec<std::path::PathBuf> {
    fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    walk(&app.home.path().join("files"), &mut found);
    found
}

fn file_rows() -> sea_orm::Select<entity::file::Entity> {
    entity::file::Entity::find()
}

async fn files(app: &TestApp, org: &TestOrg, revision: &str) -> Vec<String> {
    let json = app.as_org(org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200).json();
    json["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_revision_is_opened_filled_and_published(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        let file = app.upload(&org, &revision, "levels.csv", CSV).await.expect(201).json();
        assert_eq!(file["media_type"], "text/csv");
        assert_eq!(file["size_bytes"], CSV.len());
        assert_eq!(file["sha256"], torv::base::digest::sha256_hex(CSV.as_bytes()));
        app.upload(&org, &revision, "map.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}").await.expect(201);
        let path = format!("/api/v1/revisions/{revision}/publish");
        let view = app.post(&org, &path).await.expect(200).json();
        assert_eq!((view["state"].as_str(), view["number"].as_i64(), view["file_count"].as_i64()),
            (Some("published"), Some(1), Some(2)));
        let listing = app.as_org(&org, "GET", &format!("/api/v1/listings/{id}")).send().await.expect(200).json();
        assert_eq!(listing["current_revision"]["id"], revision);
        assert_eq!(listing["formats"], json!(["csv", "geojson"]));
        let second = app.open_revision(&org, &id).await;
        let number = app.as_org(&org, "GET", &format!("/api/v1/revisions/{second}")).send().await.expect(200);
        assert_eq!(number.json()["number"], 2);
    }

    async fn only_one_revision_is_open_at_a_time(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let path = format!("/api/v1/listings/{id}/revisions");
        let opens = (0..8).map(|_| app.as_org(&org, "POST", &path).json(&json!({})).send());
        let statuses: Vec<u16> = futures::future::join_all(opens).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
        app.as_org(&org, "POST", &path).json(&json!({"notes": ""})).send().await.expect(422);
    }

    async fn a_published_revision_never_changes(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.publish_data(&org, &id, "levels.csv", CSV).await;
        app.upload(&org, &revision, "levels.csv", "other").await.expect(409);
        app.upload(&org, &revision, "more.csv", "other").await.expect(409);
        let path = format!("/api/v1/revisions/{revision}");
        app.as_org(&org, "DELETE", &format!("{path}/files/levels.csv")).send().await.expect(409);
        app.as_org(&org, "DELETE", &path).send().await.expect(409);
        app.post(&org, &format!("{path}/publish")).await.expect(409);
        assert_eq!(files(app, &org, &revision).await, ["levels.csv"]);
        assert_eq!(std::fs::read(&blobs(app)[0]).unwrap(), CSV.as_bytes());
        assert_eq!(blobs(app).len(), 1);
    }

    async fn of_racing_publishes_one_wins(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        app.upload(&org, &revision, "a.csv", CSV).await.expect(201);
        let path = format!("/api/v1/revisions/{revision}/publish");
        let answers = futures::future::join_all((0..10).map(|_| app.post(&org, &path))).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)));
        assert_eq!(entity::outbox::Entity::find().all(app.app.db.read()).await.unwrap().len(), 1);
    }

    async fn an_upload_that_races_the_publication_is_in_it_or_refused(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        app.upload(&org, &revision, "a.csv", CSV).await.expect(201);
        let publish_path = format!("/api/v1/revisions/{revision}/publish");
        let uploads = (0..6).map(|n| {
            let (org, revision) = (org.clone(), revision.clone());
            async move { app.upload(&org, &revision, &format!("{n}.csv"), CSV).await.status }
        });
        let (published, statuses) =
            futures::join!(app.post(&org, &publish_path), futures::future::join_all(uploads));
        published.expect(200);
        let kept = 1 + statuses.iter().filter(|status| **status == 201).count();
        assert!(statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
        assert_eq!(files(app, &org, &revision).await.len(), kept);
        assert_eq!(blobs(app).len(), kept);
    }

    async fn nothing_is_published_without_a_file(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        app.post(&org, &format!("/api/v1/revisions/{revision}/publish")).await.expect(409);
    }

    async fn a_broken_upload_leaves_nothing(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        let half = vec![Ok(Bytes::from(vec![b'x'; 3_000_000])), Err(std::io::Error::other("the line went dead"))];
        let body = Body::from_stream(futures::stream::iter(half));
        let answer = app.upload(&org, &revision, "levels.csv", body).await.expect(400);
        assert_eq!(answer.str("/type"), "/problems/malformed-request");
        assert!(files(app, &org, &revision).await.is_empty());
        assert!(blobs(app).is_empty(), "{:?}", blobs(app));
        app.upload(&org, &revision, "levels.csv", CSV).await.expect(201);
        let half = vec![Ok(Bytes::from("new")), Err(std::io::Error::other("the line went dead"))];
        let body = Body::from_stream(futures::stream::iter(half));
        app.upload(&org, &revision, "levels.csv", body).await.expect(400);
        assert_eq!(std::fs::read(&blobs(app)[0]).unwrap(), CSV.as_bytes(), "the earlier file is still there, whole");
        assert_eq!(blobs(app).len(), 1);
    }

    async fn a_client_that_hangs_up_leaves_nothing(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        let (started, waits) = tokio::sync::oneshot::channel();
        let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 2_000_000]))]);
        let stalled = futures::stream::once(async move {
            let _ = started.send(());
            std::future::pending().await
        });
        let body = Body::from_stream(futures::StreamExt::chain(first, stalled));
        tokio::select! {
            _ = app.upload(&org, &revision, "levels.csv", body) => panic!("it never ends"),
            begun = waits => begun.expect("the second piece was asked for"),
        }
        for _ in 0..1_000 {
            // The store tidies up on a blocking thread: let those before us finish.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        assert!(blobs(app).is_empty(), "{:?}", blobs(app));
        assert!(files(app, &org, &revision).await.is_empty());
    }

    async fn a_failure_at_any_step_of_an_upload_leaves_no_row_without_its_bytes(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        for step in 0.. {
            app.app.db.faults().arm(step);
            let answer = app.upload(&org, &revision, &format!("{step}.csv"), CSV).await;
            let (steps, failed) = app.app.db.faults().disarm();
            let rows = file_rows().all(app.app.db.read()).await.unwrap();
            for row in &rows {
                let bytes = std::fs::read(app.app.files.local_path(&row.blob_key)).unwrap();
                assert_eq!(torv::base::digest::sha256_hex(&bytes), row.sha256, "failed at {steps:?}");
            }
            assert_eq!(blobs(app).len(), rows.len(), "failed at {steps:?}");
            if !failed {
                answer.expect(201);
                break;
            }
            answer.expect(500);
        }
    }

    async fn a_failure_at_any_step_of_a_publication_publishes_all_or_nothing(app) {
        let org = app.provider().await;
        for step in 0.. {
            let id = app.draft(&org, &json!({})).await;
            let revision = app.open_revision(&org, &id).await;
            app.upload(&org, &revision, "a.csv", CSV).await.expect(201);
            app.app.db.faults().arm(step);
            let answer = app.post(&org, &format!("/api/v1/revisions/{revision}/publish")).await;
            let (steps, failed) = app.app.db.faults().disarm();
            let state = app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.str("/state");
            let listing = app.as_org(&org, "GET", &format!("/api/v1/listings/{id}")).send().await.expect(200).json();
            let is_offered = listing["current_revision"]["id"] == json!(revision);
            let is_counted = listing["formats"] == json!(["csv"]);
            assert_eq!((state == "published", is_counted), (is_offered, is_offered), "failed at {steps:?}");
            app.run_jobs().await;
            let profiled = file_rows().all(app.app.db.read()).await.unwrap().into_iter().find(|row| {
                row.revision_id.to_string() == revision && row.profile_state != entity::states::ProfileState::Pending
            });
            assert!(profiled.is_some(), "its owner sees what is in it before it is published");
            let shown = app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.json();
            assert_eq!(shown["version"] == "1.0.0", is_offered, "failed at {steps:?}");
            if !failed {
                answer.expect(200);
                break;
            }
        }
    }

    async fn a_file_sent_again_replaces_the_first(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        app.upload(&org, &revision, "levels.csv", CSV).await.expect(201);
        let again = app.upload(&org, &revision, "levels.csv", "station\nOno\n").await.expect(200).json();
        let view = app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.json();
        assert_eq!(view["files"], json!([again]));
        assert_eq!((view["file_count"].as_i64(), view["size_bytes"].as_i64()), (Some(1), Some(12)));
        assert_eq!(blobs(app).len(), 1);
        app.as_org(&org, "DELETE", &format!("/api/v1/revisions/{revision}/files/levels.csv")).send().await.expect(204);
        app.as_org(&org, "DELETE", &format!("/api/v1/revisions/{revision}/files/levels.csv")).send().await.expect(404);
        assert!(blobs(app).is_empty());
        app.upload(&org, &revision, "a.csv", CSV).await.expect(201);
        app.as_org(&org, "DELETE", &format!("/api/v1/revisions/{revision}")).send().await.expect(204);
        app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(404);
        assert!(blobs(app).is_empty());
    }

    async fn another_digest_than_announced_is_refused(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        let path = format!("/api/v1/revisions/{revision}/files/levels.csv");
        let send = async |header: &str, value: &str| {
            app.as_org(&org, "PUT", &path).header(header, value).body(CSV).send().await
        };
        let wrong = "0".repeat(64);
        let refusal = send("x-content-sha256", &wrong).await.expect(422);
        assert!(refusal.str("/detail").contains("SHA-256"));
        send("x-content-sha256", "abc").await.expect(422);
        send("content-digest", "sha-256=:AAAA:").await.expect(422);
        assert!(blobs(app).is_empty());
        assert!(files(app, &org, &revision).await.is_empty());
        send("x-content-sha256", &torv::base::digest::sha256_hex(CSV.as_bytes())).await.expect(201);
    }

    async fn hostile_names_sizes_and_formats_are_refused(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &id).await;
        for name in ["..%2F..%2Fetc%2Fpasswd", "a%5Cb.csv", ".htaccess", "a%00.csv", "con.csv", "%E2%80%AEvsc.exe", "%20"] {
            let answer = app.upload(&org, &revision, name, CSV).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), "name", "{name}");
        }
        app.upload(&org, &revision, &format!("{}.csv", "a".repeat(200)), CSV).await.expect(422);
        app.upload(&org, &revision, "%FF.csv", CSV).await.expect(404);
        app.upload(&org, &revision, "page.html", "<script>").await.expect(415);
        app.upload(&org, &revision, "tool.exe", "MZ").await.expect(415);
        app.upload(&org, &revision, "empty.csv", "").await.expect(422);
        let path = format!("/api/v1/revisions/{revision}/files/big.csv");
        let big = (21_u64 << 30).to_string();
        app.as_org(&org, "PUT", &path).header("content-length", big).body(CSV).send().await.expect(413);
        assert!(blobs(app).is_empty());
        let name = "%E5%A4%A7%E5%AE%89%E5%8D%80.csv";
        assert_eq!(app.upload(&org, &revision, name, CSV).await.expect(201).str("/name"), "大安區.csv");
        let key = blobs(app)[0].display().to_string();
        assert!(!key.contains("csv") && !key.contains("大"), "{key}: nothing of the name reaches the file system");
    }

    async fn a_zip_bomb_is_a_file_like_any_other(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let revision = app.publish_data(&org, &id, "feed.gtfs.zip", "PK\u{3}\u{4} and then nothing").await;
        app.run_jobs().await;
        let view = app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200);
        assert_eq!((view.str("/files/0/format"), view.str("/files/0/media_type")),
            ("gtfs".to_owned(), "application/zip".to_owned()));
        let profile = app.as_org(&org, "GET", &view.str("/files/0/profile_url")).send().await.expect(200);
        assert_eq!(profile.str("/state"), "unparsable");
        assert!(profile.str("/reason").contains("not profiled"));
    }

    async fn strangers_see_what_is_published_and_touch_nothing(app) {
        let (org, stranger) = (app.provider().await, app.provider().await);
        let id = app.published(&org, &json!({})).await;
        let open = app.open_revision(&org, &id).await;
        app.get(&format!("/api/v1/revisions/{open}")).await.expect(404);
        app.as_org(&stranger, "GET", &format!("/api/v1/revisions/{open}")).send().await.expect(404);
        app.upload(&stranger, &open, "a.csv", CSV).await.expect(404);
        app.post(&stranger, &format!("/api/v1/revisions/{open}/publish")).await.expect(404);
        app.as_org(&stranger, "DELETE", &format!("/api/v1/revisions/{open}")).send().await.expect(404);
        let path = format!("/api/v1/listings/{id}/revisions");
        app.as_org(&stranger, "POST", &path).json(&json!({})).send().await.expect(404);
        let numbers = |json: &serde_json::Value| -> Vec<i64> {
            json["items"].as_array().unwrap().iter().map(|row| row["number"].as_i64().unwrap()).collect()
        };
        assert_eq!(numbers(&app.get(&path).await.expect(200).json()), [1]);
        assert_eq!(numbers(&app.as_org(&org, "GET", &path).send().await.expect(200).json()), [2, 1]);
        let first = app.as_org(&org, "GET", &format!("{path}?limit=1")).send().await.expect(200);
        let next = format!("{path}?limit=1&cursor={}", first.str("/next_cursor"));
        assert_eq!(numbers(&app.as_org(&org, "GET", &next).send().await.expect(200).json()), [1]);
        app.get(&format!("{path}?cursor=nonsense")).await.expect(422);
    }

    async fn a_profile_follows_and_shows_what_its_owner_lets_be_seen(app) {
        let (org, stranger) = (app.provider().await, app.provider().await);
        let id = app.published(&org, &json!({})).await;
        let view = app.get(&format!("/api/v1/listings/{id}")).await.expect(200);
        let revision = app.get(&format!("/api/v1/revisions/{}", view.str("/current_revision/id"))).await.expect(200);
        let file = revision.str("/files/0/id");
        let path = format!("/api/v1/files/{file}/profile");
        assert_eq!(app.get(&path).await.expect(200).str("/state"), "pending");
        app.run_jobs().await;
        let profile = app.get(&path).await.expect(200).json();
        assert_eq!(profile["state"], "ready");
        assert_eq!(profile["profile"]["row_count"], 1);
        assert_eq!(profile["profile"]["sample"][0][0], "Asuwa");
        assert!(profile.get("sample_policy").is_none());
        let policy_path = format!("/api/v1/files/{file}/sample-policy");
        let set = async |org: &TestOrg, policy: serde_json::Value| {
            app.as_org(org, "PUT", &policy_path).json(&policy).send().await
        };
        set(&stranger, json!({"show": "none"})).await.expect(404);
        set(&org, json!({"show": "columns", "value": ["no such column"]})).await.expect(422);
        set(&org, json!({"show": "replaced", "value": [["one value"]]})).await.expect(422);
        set(&org, json!({"show": "replaced", "value": [["a\u{0}", 1]]})).await.expect(422);
        set(&org, json!({"show": "some"})).await.expect(422);
        let own = set(&org, json!({"show": "none"})).await.expect(200).json();
        assert_eq!(own["profile"]["sample"][0][0], "Asuwa", "the owner sees all");
        assert_eq!(own["sample_policy"]["show"], "none");
        let seen = app.get(&path).await.expect(200).text();
        assert!(!seen.contains("Asuwa"), "{seen}");
        set(&org, json!({"show": "columns", "value": ["level"]})).await.expect(200);
        let seen = app.get(&path).await.expect(200).text();
        assert!(!seen.contains("Asuwa") && seen.contains("1.25"), "{seen}");
    }

    async fn a_new_file_shows_no_more_than_the_last_of_its_name(app) {
        let org = app.provider().await;
        let id = app.published(&org, &json!({})).await;
        let first = app.get(&format!("/api/v1/listings/{id}")).await.expect(200).str("/current_revision/id");
        let file = app.get(&format!("/api/v1/revisions/{first}")).await.expect(200).str("/files/0/id");
        let policy = app.as_org(&org, "PUT", &format!("/api/v1/files/{file}/sample-policy"));
        policy.json(&json!({"show": "columns", "value": ["level"]})).send().await.expect(200);
        app.advance(time::Duration::seconds(1));
        let second = app.open_revision(&org, &id).await;
        app.upload(&org, &second, "levels.csv", CSV).await.expect(201);
        app.advance(time::Duration::seconds(1));
        let file = app.upload(&org, &second, "levels.csv", CSV).await.expect(200).str("/id");
        app.post(&org, &format!("/api/v1/revisions/{second}/publish")).await.expect(200);
        app.run_jobs().await;
        let seen = app.get(&format!("/api/v1/files/{file}/profile")).await.expect(200).text();
        assert!(!seen.contains("Asuwa") && seen.contains("1.25"), "{seen}");
    }

    async fn personal_data_is_not_sampled_for_others(app) {
        let org = app.provider().await;
        let declared = json!({"personal_data": "contains", "personal_data_note": "Names of stewards, by consent."});
        app.published(&org, &declared).await;
        app.run_jobs().await;
        let file = file_rows().one(app.app.db.read()).await.unwrap().unwrap().id;
        let path = format!("/api/v1/files/{file}/profile");
        let seen = app.get(&path).await.expect(200);
        assert!(seen.str("/state") == "ready" && !seen.text().contains("Asuwa"), "{}", seen.text());
        assert!(app.as_org(&org, "GET", &path).send().await.expect(200).text().contains("Asuwa"));
    }

    async fn the_job_is_repeatable_and_outlives_a_deleted_file(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        app.publish_data(&org, &id, "odd.json", "{\"a\": [1, ").await;
        app.run_jobs().await;
        let row = file_rows().one(app.app.db.read()).await.unwrap().unwrap();
        assert_eq!(row.profile_state, entity::states::ProfileState::Unparsable);
        torv::catalog::revisions::profile_stored_file(&app.app, row.id).await.unwrap();
        let gone = entity::ids::FileId::at(app.clock.now());
        torv::catalog::revisions::profile_stored_file(&app.app, gone).await.unwrap();
    }
}
