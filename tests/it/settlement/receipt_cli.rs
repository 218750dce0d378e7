//! `torv receipt verify`, by the real binary: offline with a pinned file of keys, and against an exchange.

use std::path::PathBuf;

use crate::support::{
    TestApp, on_both,
    process::{Said, run_torv},
    sales::money,
};

/// Writes a file beside the test's data.
fn write(app: &TestApp, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = app.home.path().join(name);
    std::fs::write(&path, bytes).expect("writes");
    path.to_str().expect("text").to_owned()
}

async fn torv(arguments: Vec<String>) -> Said {
    let run = move || {
        let arguments: Vec<&str> =
            ["receipt", "verify"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        run_torv(&arguments, &[], "")
    };
    tokio::task::spawn_blocking(run).await.expect("runs")
}

/// Serves the exchange on a port of its own until the test is over.
async fn serve(app: &TestApp) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = app.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

on_both! {
    async fn a_receipt_is_checked_offline_and_against_the_exchange(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let sold = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        app.run_jobs().await;
        let bytes = app.as_org(&buyer, "GET", &format!("/api/v1/orders/{}/proof", sold.order)).send().await.expect(200).bytes;
        let file = write(app, "order.receipt.json", &bytes);
        let keys = write(app, "keys.json", &app.get("/api/v1/transparency/keys").await.expect(200).bytes);
        let offline = |file: &str| torv(vec![file.to_owned(), "--keys".to_owned(), keys.clone()]);

        let said = offline(&file).await;
        assert_eq!(said.code, Some(0), "{}", said.out);
        for words in ["The receipt holds.", "100.01 EUR", "80.01 EUR", "20.00 EUR", &sold.order.to_string(), "leaf       0 of the tree of 1 leaves"] {
            assert!(said.out.contains(words), "{words}: {}", said.out);
        }

        let text = String::from_utf8(bytes.clone()).expect("text");
        let forged = write(app, "forged.json", text.replace("\"operator_minor\":2000", "\"operator_minor\":2001").as_bytes());
        let said = offline(&forged).await;
        assert_eq!(said.code, Some(1), "{}", said.out);
        assert!(said.out.starts_with("The receipt does NOT hold: the split does not add up"), "{}", said.out);

        for (file, keys) in [("/nowhere/receipt", keys.as_str()), (&file, "/nowhere/keys"), (&file, &file)] {
            let said = torv(vec![file.to_owned(), "--keys".to_owned(), keys.to_owned()]).await;
            assert_eq!(said.code, Some(2), "{}", said.err);
            assert!(said.err.starts_with("torv: the receipt was not checked: "), "{}", said.err);
        }
        assert_eq!(torv(vec![file.clone()]).await.code, Some(2), "keys have to be named");
        let beside = write(app, "torv-keys.json", &std::fs::read(&keys).expect("reads"));
        let said = torv(vec![file.clone()]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.out.contains(&format!("keys       as in {beside}")), "{}", said.out);

        let url = serve(app).await;
        app.sell(&provider, &buyer, money(7, "EUR")).await;
        app.run_jobs().await;
        let said = torv(vec![file.clone(), "--url".to_owned(), url.clone()]).await;
        assert_eq!(said.code, Some(0), "{}", said.out);
        assert!(said.out.contains("the tree of 2 leaves"), "{}", said.out);
        let gone = torv(vec![file, "--url".to_owned(), "http://127.0.0.1:1".to_owned()]).await;
        assert_eq!(gone.code, Some(2), "{}", gone.err);
    }
}
