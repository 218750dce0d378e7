//! Keys that are sent to be matched are nowhere afterwards, and nothing that is kept tells them.

use entity::{audit_event, idempotency, outbox, trial_question, trial_report};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use torv::base::digest;

use super::{Trial, policy};
use crate::support::{
    Backend, Home, on_both,
    process::{Client, Server, open_revision, open_shop, wait_for},
};

/// Keys of which none is in a table.
fn customers() -> Vec<String> {
    (0..150).map(|n| format!("customer-{n}-of-ours")).collect()
}

on_both! {
    async fn keys_are_not_in_the_database(app) {
        let trial = Trial::new(app, &json!({})).await;
        let keys = customers();
        let hashed: Vec<String> = keys.iter().map(|key| digest::sha256_hex(key.as_bytes())).collect();
        trial.ask(app, &trial.buyer, &json!([
            {"kind": "match", "column": "station", "keys": keys},
            {"kind": "match", "column": "code", "keys": hashed, "hashed": true},
        ])).await.expect(201);
        let conn = app.app.db.read();
        let kept = [
            format!("{:?}", trial_report::Entity::find().all(conn).await.expect("readable")),
            format!("{:?}", trial_question::Entity::find().all(conn).await.expect("readable")),
            format!("{:?}", idempotency::Entity::find().all(conn).await.expect("readable")),
            format!("{:?}", outbox::Entity::find().all(conn).await.expect("readable")),
            format!("{:?}", audit_event::Entity::find().all(conn).await.expect("readable")),
        ]
        .join("\n");
        assert!(kept.contains("\\\"keys\\\":150"), "the number of keys is kept: {kept}");
        let mut all: Vec<String> = [keys.clone(), hashed.clone()].concat();
        // Nor a digest of all keys that somebody who guesses them could compute.
        for list in [keys, hashed] {
            let questions = json!([{"kind": "match", "column": "station", "keys": list, "hashed": false}]);
            all.push(digest::canonical_json_sha256(&json!({"file": null, "questions": questions})).expect("writes"));
            all.push(digest::sha256_hex(list.concat().as_bytes()));
        }
        for key in all {
            assert!(!kept.contains(&key), "{key}");
        }
    }
}

/// The whole of a real process: what it logs when it logs much, and every byte that it leaves on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_neither_in_the_log_nor_on_the_disk() {
    let Some(home) = Home::fresh(Backend::Sqlite).await else { return };
    let mut server = Server::start(&home, &[("TORV_LOG__FILTER", "debug")]);
    let client = Client::new(&server.base);
    let shop = open_shop(&home, &client, b"A berth.".to_vec()).await;
    let revision = open_revision(&client, &shop.provider, &shop.listing).await;
    let rows: String = (0..500).map(|n| format!("{n},berth {n}\n")).collect();
    let put = client.http.put(format!("{}/api/v1/revisions/{revision}/files/berths.csv", client.base));
    put.bearer_auth(&shop.provider)
        .body(format!("code,berth\n{rows}"))
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let publish = client.http.post(format!("{}/api/v1/revisions/{revision}/publish", client.base));
    publish.bearer_auth(&shop.provider).send().await.unwrap().error_for_status().unwrap();
    let allowed = policy(&json!({"columns": [{"name": "berth"}, {"name": "code"}]}));
    let put = client.http.put(format!("{}/api/v1/listings/{}/trial-policy", client.base, shop.listing));
    put.bearer_auth(&shop.provider).json(&allowed).send().await.unwrap().error_for_status().unwrap();

    let found: Vec<String> = (0..200).map(|n| format!("berth {n}")).collect();
    let keys = [customers(), found].concat();
    let path = format!("/api/v1/listings/{}/trial-reports", shop.listing);
    let asked = json!({"questions": [{"kind": "match", "column": "berth", "keys": keys}]});
    let report: Value = wait_for("the table to be there", async || {
        let sent = client.try_send(reqwest::Method::POST, &path, &shop.buyer, Some("one"), Some(&asked)).await;
        let (status, body) = sent.expect("an answer");
        // Until then the table is that of the first revision.
        assert!(matches!(status, 201 | 409 | 422), "{status} {body}");
        (status == 201).then_some(body)
    })
    .await;
    let answer = &report["document"]["report"]["questions"][0]["answer"];
    assert!(answer["matched"]["value"].as_i64().is_some_and(|found| (120..=280).contains(&found)), "{answer}");
    // What is refused, and named in an answer, is not logged either.
    let bad = json!({"questions": [{"kind": "match", "column": "berth", "keys": "customer-7-of-ours"}]});
    let (status, _) =
        client.try_send(reqwest::Method::POST, &path, &shop.buyer, Some("two"), Some(&bad)).await.expect("an answer");
    assert_eq!(status, 422);
    server.ask_to_stop();
    assert!(server.ended().await.success());

    let log = server.log();
    assert!(log.contains("/trial-reports answered 201"), "it is a log of these requests: {log}");
    let mut places = vec![("the log".to_owned(), log.into_bytes())];
    let mut folders = vec![home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    let hash = digest::sha256_hex(b"customer-7-of-ours");
    for needle in ["of-ours", hash.as_str(), &hash[..16]] {
        for (name, bytes) in &places {
            assert!(!bytes.windows(needle.len()).any(|part| part == needle.as_bytes()), "{needle} is in {name}");
        }
    }
}
