//! Where files are kept: the same on a local directory and on a bucket; damage is found, and what nothing refers to.

use entity::{
    ids::{GrantId, ListingId},
    states::{Coverage, RevisionState, StorageFindingKind},
    storage_finding,
};
use sea_orm::{EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    base::digest::sha256_hex,
    delivery::storage::{find_orphans, note_damaged_reads, remove_orphans, scrub_all, scrub_next},
};

use crate::support::{Backend, Bucket, Granted, Home, TestApp, TestOrg, blob_key, on_both, run_on_bucket};

const CSV: &str = "station,level\nAsuwa,1.25\nKuzuryu,0.50\n";
const MIB: usize = 1024 * 1024;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 13 & 0xff).unwrap()).collect()
}

async fn with_file(app: &TestApp, bytes: &[u8]) -> (Granted, String, String) {
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let name = ("bridges.bin", "application/octet-stream");
    let file = app.bare_file(granted.listing, 1, RevisionState::Published, name, bytes).await;
    let path = format!("/api/v1/grants/{}/files", granted.grant);
    let url = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).str("/items/0/url");
    (granted, url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned(), blob_key(file))
}

async fn findings(app: &TestApp) -> Vec<storage_finding::Model> {
    storage_finding::Entity::find().all(app.app.db.read()).await.unwrap()
}

/// Changes one byte of a stored file, as a failing disk does.
fn damage(app: &TestApp, key: &str) {
    let path = app.app.files.local_path(key);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

on_both! {
    async fn a_damaged_file_is_broken_off_and_reported_to_the_operator(app) {
        let (_, url, key) = with_file(app, &pattern(3 * MIB)).await;
        app.get(&url).await.expect(200);
        damage(app, &key);
        let answer = app.get(&url).await.expect(200);
        assert!(answer.bytes.is_empty(), "the last piece never comes, and what broke off is not read whole");
        let tail = app.request("GET", &url).header("range", "bytes=-10").send().await.expect(206);
        assert_eq!(tail.bytes.len(), 10, "of a part nobody can tell");
        assert_eq!(note_damaged_reads(&app.app).await.unwrap(), 1);
        let operator = app.operator().await;
        let listed = app.as_org(&operator, "GET", "/api/v1/storage/findings").send().await.expect(200).json();
        assert_eq!((listed["items"][0]["key"].as_str(), listed["items"][0]["kind"].as_str()), (Some(key.as_str()), Some("damaged")));
    }

    async fn the_scrub_finds_damage_and_loss_and_sees_when_they_are_mended(app) {
        let (_, _, damaged) = with_file(app, &pattern(2 * MIB)).await;
        let (_, _, missing) = with_file(app, &pattern(1_000)).await;
        let (_, _, cut) = with_file(app, &pattern(2_000)).await;
        with_file(app, &pattern(3_000)).await;
        let whole = [&damaged, &missing, &cut].map(|key| std::fs::read(app.app.files.local_path(key)).unwrap());
        damage(app, &damaged);
        std::fs::remove_file(app.app.files.local_path(&missing)).unwrap();
        std::fs::write(app.app.files.local_path(&cut), &whole[2][..100]).unwrap();
        let report = scrub_all(&app.app, 0, |_, _| {}).await.unwrap();
        assert_eq!((report.blobs, report.damaged, report.missing), (4, 2, 1));
        let mut found: Vec<_> = findings(app).await.into_iter().map(|row| (row.key, row.kind)).collect();
        found.sort();
        let mut expected = vec![(damaged.clone(), StorageFindingKind::Damaged),
            (missing.clone(), StorageFindingKind::Missing), (cut.clone(), StorageFindingKind::Damaged)];
        expected.sort();
        assert_eq!(found, expected);
        for (key, bytes) in [&damaged, &missing, &cut].into_iter().zip(whole) {
            std::fs::write(app.app.files.local_path(key), bytes).unwrap();
        }
        scrub_all(&app.app, 0, |_, _| {}).await.unwrap();
        assert!(findings(app).await.iter().all(|row| row.resolved_at.is_some()));
    }

    async fn the_background_scrub_goes_through_everything_once_and_rests(app) {
        for size in [10, 20, 30] {
            with_file(app, &pattern(size)).await;
        }
        let sibling = app.sibling().await;
        let mut files = 0;
        for _ in 0..10 {
            let (one, two) = futures::join!(scrub_next(&app.app), scrub_next(&sibling.app));
            files += one.unwrap() + two.unwrap();
        }
        assert_eq!(files, 3, "each once, whoever reads it");
        app.clock.advance(Duration::days(31));
        assert_eq!(scrub_next(&app.app).await.unwrap(), 1, "the next pass begins");
    }

    async fn what_nothing_refers_to_is_found_a_day_later_and_removed_when_asked(app) {
        let (_, url, _) = with_file(app, &pattern(1_000)).await;
        let lost = blob_key(entity::ids::FileId::at(app.clock.now()));
        let body = || futures::stream::iter([Ok(bytes::Bytes::from_static(b"lost"))]);
        app.app.files.put(&lost, body(), 10).await.unwrap();
        app.app.files.put("backup/square.tar", body(), 10).await.unwrap();
        std::fs::write(app.app.files.scratch("rdn_0-1"), b"half").unwrap();
        std::fs::write(app.app.files.local_path("staged#1"), b"half").unwrap();
        assert_eq!(find_orphans(&app.app, |_| {}).await.unwrap().found, []);
        app.clock.advance(Duration::days(3));
        let orphans = find_orphans(&app.app, |_| {}).await.unwrap();
        assert_eq!((orphans.looked_at, orphans.foreign), (3, 1));
        let mut sizes: Vec<u64> = orphans.found.iter().map(|orphan| orphan.size_bytes).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [4, 4, 4], "{:?}", orphans.found);
        assert!(app.app.files.local_path(&lost).exists(), "looking removes nothing");
        assert_eq!(remove_orphans(&app.app, &orphans.found, |_| {}).await.unwrap(), (3, 12));
        assert!(!app.app.files.local_path(&lost).exists());
        assert!(app.app.files.local_path("backup/square.tar").exists(), "what is not ours stays");
        let _ = url;
    }

    async fn an_orphan_that_got_a_row_meanwhile_stays(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.bare_file(granted.listing, 1, RevisionState::Open, ("a.bin", "text/plain"), &pattern(1_000)).await;
        let file = entity::file::Entity::find().one(app.app.db.read()).await.unwrap().unwrap();
        let id = file.id;
        app.clock.advance(Duration::days(3));
        app.app.db.write("test.hide", move |tx| async move {
            entity::file::Entity::delete_by_id(id).exec(tx.conn()).await?;
            Ok(((), tx))
        }).await.unwrap();
        let orphans = find_orphans(&app.app, |_| {}).await.unwrap();
        assert_eq!(orphans.found.len(), 1);
        app.app.db.write("test.show", move |tx| {
            let row = file.clone().into_active_model();
            async move {
                entity::file::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                Ok(((), tx))
            }
        }).await.unwrap();
        assert_eq!(remove_orphans(&app.app, &orphans.found, |_| {}).await.unwrap(), (0, 0));
    }
}

/// What a provider uploads and publishes, and a buyer's links to it: the original's, and those of its renditions.
async fn published(app: &TestApp) -> (TestOrg, GrantId, String, Vec<Value>) {
    let (provider, buyer) = (app.provider().await, app.buyer().await);
    let listing = app.draft(&provider, &json!({})).await;
    app.publish_data(&provider, &listing, "levels.csv", CSV).await;
    app.run_jobs().await;
    let listing: ListingId = listing.parse().unwrap();
    let grant = app.bare_grant(&provider, &buyer, listing, Coverage::Snapshot, 1).await;
    let files = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{grant}/files")).send().await.expect(200).json();
    let url = files["items"][0]["url"].as_str().unwrap().to_owned();
    (buyer, grant, url, files["items"][0]["renditions"].as_array().unwrap().clone())
}

fn path_of(url: &str) -> String {
    url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_holds_uploads_and_renditions_and_hands_them_out_itself() {
    run_on_bucket(true, async |app, bucket| {
        let (buyer, grant, url, renditions) = published(app).await;
        assert_eq!(renditions.len(), 3, "Parquet, CSV and JSON lines");
        assert_eq!(bucket.keys().len(), 3, "the original is its own CSV: {:?}", bucket.keys());
        let client = reqwest::Client::new();
        let answer = app.get(&path_of(&url)).await.expect(307);
        assert_eq!(answer.header("cache-control"), "no-store");
        let address = answer.header("location").to_owned();
        assert!(address.contains("X-Amz-Signature=") && address.contains("X-Amz-Expires=60"), "{address}");
        let sent = client.get(&address).send().await.unwrap();
        assert_eq!(sent.status().as_u16(), 200);
        assert_eq!(sent.headers()["content-type"], "text/csv");
        assert!(sent.headers()["content-disposition"].to_str().unwrap().contains("levels.csv"));
        assert_eq!(sent.text().await.unwrap(), CSV);
        let forged = address.replace("levels.csv", "levels.exe");
        assert_eq!(client.get(&forged).send().await.unwrap().status().as_u16(), 403, "the name is signed too");

        let parquet = &renditions[0];
        let path = path_of(parquet["url"].as_str().unwrap());
        let address = app
            .request("GET", &path)
            .header("range", "bytes=-4")
            .send()
            .await
            .expect(307)
            .header("location")
            .to_owned();
        let tail = client.get(&address).header("range", "bytes=-4").send().await.unwrap();
        assert_eq!((tail.status().as_u16(), tail.bytes().await.unwrap().as_ref()), (206, b"PAR1".as_slice()));
        let whole = client.get(&address).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(sha256_hex(&whole), parquet["sha256"].as_str().unwrap());
        app.request("HEAD", &path).send().await.expect(200);
        let etag = format!("\"{}\"", parquet["sha256"].as_str().unwrap());
        app.request("GET", &path).header("if-none-match", &etag).send().await.expect(304);
        let ranged =
            app.request("GET", &path).header("range", "bytes=0-3").header("if-range", &etag).send().await.expect(206);
        assert_eq!(ranged.bytes, b"PAR1");

        app.app.recorder.flush().await;
        let noted =
            app.as_org(&buyer, "GET", &format!("/api/v1/grants/{grant}/deliveries")).send().await.expect(200).json();
        let statuses: Vec<i64> =
            noted["items"].as_array().unwrap().iter().map(|row| row["status"].as_i64().unwrap()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 307).count(), 2, "{statuses:?}");
        app.set_grant_state(grant, entity::states::GrantState::Revoked).await;
        app.get(&path).await.expect(403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_buyers_do_not_reach_is_read_through_the_exchange() {
    run_on_bucket(false, async |app, bucket| {
        let bytes = pattern(20 * MIB + 3);
        let (_, url, key) = with_file(app, &bytes).await;
        assert_eq!(sha256_hex(&app.get(&url).await.expect(200).bytes), sha256_hex(&bytes), "in three parts");
        let part = app.request("GET", &url).header("range", "bytes=8388600-8388700").send().await.expect(206);
        assert_eq!(part.bytes, bytes[8_388_600..=8_388_700]);
        let mut damaged = std::fs::read(bucket.path(&key)).unwrap();
        damaged[MIB] ^= 1;
        std::fs::write(bucket.path(&key), damaged).unwrap();
        assert!(app.get(&url).await.expect(200).bytes.is_empty(), "it broke off");
        assert_eq!(note_damaged_reads(&app.app).await.unwrap(), 1);
        assert_eq!(scrub_all(&app.app, 0, |_, _| {}).await.unwrap().damaged, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_upload_leaves_nothing_in_a_bucket() {
    run_on_bucket(true, async |app, bucket| {
        let provider = app.provider().await;
        let listing = app.draft(&provider, &json!({})).await;
        let revision = app.open_revision(&provider, &listing).await;
        let half = vec![Ok(bytes::Bytes::from(vec![b'x'; 9 * MIB])), Err(std::io::Error::other("the line went dead"))];
        let body = axum::body::Body::from_stream(futures::stream::iter(half));
        app.upload(&provider, &revision, "levels.csv", body).await.expect(400);
        assert_eq!(bucket.keys(), Vec::<String>::new());
        app.upload(&provider, &revision, "levels.csv", CSV).await.expect(201);
        assert_eq!(bucket.keys().len(), 1);
        let lost = blob_key(entity::ids::FileId::at(app.clock.now()));
        app.app.files.put(&lost, futures::stream::iter([Ok(bytes::Bytes::from_static(b"lost"))]), 10).await.unwrap();
        app.clock.advance(Duration::days(3));
        let orphans = find_orphans(&app.app, |_| {}).await.unwrap();
        assert_eq!(orphans.found.iter().map(|orphan| orphan.name.as_str()).collect::<Vec<_>>(), [lost.as_str()]);
        assert_eq!(remove_orphans(&app.app, &orphans.found, |_| {}).await.unwrap(), (1, 4));
        assert_eq!(bucket.keys().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_does_not_start_without_its_bucket() {
    let bucket = Bucket::start().await;
    let home = Home::fresh(Backend::Sqlite).await.unwrap();
    let mut config = home.config();
    bucket.keep_files_of(&mut config);
    config.storage.s3.secret_access_key = "another secret".into();
    let clock = torv::base::Clock::manual(time::macros::datetime!(2026-11-21 10:00:00 UTC));
    let refused = torv::bootstrap::build(config, clock).await.err().expect("a wrong secret is refused");
    let cause = refused.cause.map(|cause| cause.to_string()).unwrap_or_default();
    assert!(cause.contains("the store of files") && !cause.contains("another secret"), "{cause}");
}
