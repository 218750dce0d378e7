//! Slices in a bucket that hands files out itself: each by an address for it alone.

use serde_json::json;
use torv::base::digest::sha256_hex;

use super::{buy, by_row, files, market, path};
use crate::support::{TestApp, run_on_bucket};

/// The address at the bucket that a link of the exchange leads to.
async fn address(app: &TestApp, link: &serde_json::Value) -> String {
    let answer = app.get(&path(link)).await.expect(307);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.header("location").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_hands_out_the_files_of_a_slice_and_nothing_else() {
    run_on_bucket(true, async |app, bucket| {
        let (sale, buyer) = market(app, by_row()).await;
        let before = bucket.keys();
        let (_, grant) = buy(app, &sale, &buyer, &json!({"area": [12.0, 55.0, 13.0, 56.0]}), "k").await;
        app.run_jobs().await;
        let own: Vec<String> = bucket.keys().into_iter().filter(|key| !before.contains(key)).collect();
        assert_eq!(own.len(), 4, "Parquet and what is written from it: {own:?}");
        assert!(own.iter().all(|key| key.starts_with("slices/")), "{own:?}");
        let listed = files(app, &buyer, grant).await.expect(200).json();
        let item = &listed["items"][0];
        let http = reqwest::Client::new();
        let get = async |address: &str| http.get(address).send().await.unwrap();
        for link in item["renditions"].as_array().unwrap().iter().chain([item]) {
            let address = address(app, link).await;
            assert!(address.contains("X-Amz-Signature=") && address.contains("X-Amz-Expires=60"), "{address}");
            let sent = get(&address).await;
            assert_eq!(sent.status().as_u16(), 200);
            let name = link["name"].as_str().unwrap();
            assert!(name.starts_with("levels_slice."), "{name}");
            assert!(sent.headers()["content-disposition"].to_str().unwrap().contains(name));
            assert_eq!(sha256_hex(&sent.bytes().await.unwrap()), link["sha256"].as_str().unwrap());

            let key = own.iter().find(|key| address.contains(key.as_str())).expect("a file of the slice");
            for other in bucket.keys().iter().filter(|other| *other != key) {
                let forged = address.replace(key.as_str(), other);
                assert_eq!(get(&forged).await.status().as_u16(), 403, "{other}");
            }
            assert_eq!(get(address.split('?').next().unwrap()).await.status().as_u16(), 403, "without a signature");
        }
        app.set_grant_state(grant, entity::states::GrantState::Revoked).await;
        app.get(&path(item)).await.expect(403);
        app.check_what_is_left().await;
    })
    .await;
}
