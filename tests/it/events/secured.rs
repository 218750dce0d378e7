//! Webhooks and mails over TLS: handed over to whom an authority vouches for that the process trusts, and to nobody
//! else; why not is told.

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};

use super::processes::publish;
use crate::support::{
    Backend, Home,
    process::{Client, Server, Shop, open_shop, text, wait_for},
    receiver::Receiver,
    smtp::SmtpSink,
    tls::{Shows, authority},
};

const BACKENDS: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

/// A process that trusts the authority of the tests alone, with more settings.
fn start(home: &Home, more: &[(&str, &str)]) -> Server {
    let authority = authority();
    let trusting = [
        ("SSL_CERT_FILE", authority.to_str().expect("a path")),
        ("TORV_NOTIFY__WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/32"),
    ];
    Server::start(home, &[&trusting, more].concat())
}

/// A shop whose buyer has bought; with an access token of the buyer's owner.
async fn open(home: &Home, server: &Server) -> (Shop, String) {
    let client = Client::new(&server.base);
    let shop = open_shop(home, &client, b"berth,boat\n1,Else\n".to_vec()).await;
    client.post_once("/api/v1/orders", &shop.buyer, "one", &shop.order).await;
    let owner = client.owner("buyer").await;
    (shop, owner)
}

/// Why the first attempt of the only delivery to an endpoint had no answer, once it was made.
async fn failure(client: &Client, owner: &str, endpoint: &str) -> Value {
    let path = format!("/api/v1/webhook-endpoints/{endpoint}/deliveries");
    wait_for("an attempt", async || {
        let list = client.get(&path, owner).await;
        let delivery = list.pointer("/items/0/id")?.as_str()?.to_owned();
        let log = client.get(&format!("{path}/{delivery}"), owner).await;
        assert_eq!(log["state"], "pending", "it is tried again: certificates are replaced");
        log.pointer("/log/0/failure").cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_go_to_receivers_whose_certificate_holds() {
    for backend in BACKENDS {
        let Some(home) = Home::empty(backend).await else { continue };
        let server = start(&home, &[]);
        let (shop, owner) = open(&home, &server).await;
        let client = Client::new(&server.base);
        let refused = [
            (Receiver::start_secured(Shows::SelfSigned).await, "untrusted_certificate"),
            (Receiver::start_secured(Shows::Expired).await, "expired_certificate"),
            (Receiver::start_secured(Shows::OtherName).await, "certificate_for_another_name"),
            (Receiver::start().await, "tls"),
        ];
        let good = Receiver::start_secured(Shows::Good).await;
        let endpoint = async |receiver: &Receiver| {
            let url = receiver.url.replace("http://", "https://");
            let body = json!({"url": url, "kinds": ["revision.published"]});
            text(&client.post("/api/v1/webhook-endpoints", &owner, &body).await, "/id")
        };
        endpoint(&good).await;
        let mut endpoints = Vec::new();
        for (receiver, _) in &refused {
            endpoints.push(endpoint(receiver).await);
        }
        publish(&client, &shop.provider, &shop.listing).await;
        wait_for("the message", async || good.got().first().cloned()).await;
        for ((receiver, expected), endpoint) in refused.iter().zip(&endpoints) {
            assert_eq!(failure(&client, &owner, endpoint).await, *expected);
            assert!(receiver.got().is_empty(), "nothing was sent: {expected}");
        }
    }
}

/// What the exchange has written down of mails that were not taken.
async fn last_errors(conn: &DatabaseConnection) -> Vec<String> {
    let sql = "SELECT last_error FROM mail WHERE state = 'pending' AND last_error IS NOT NULL";
    let statement = Statement::from_string(conn.get_database_backend(), sql);
    let rows = conn.query_all_raw(statement).await.expect("readable");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_go_to_servers_whose_certificate_holds() {
    let kinds = [
        (Shows::SelfSigned, "not taken: the server's certificate is of no authority that is trusted here"),
        (Shows::Expired, "not taken: the server's certificate has expired, or is not valid yet"),
        (Shows::OtherName, "not taken: the server's certificate is for another name"),
    ];
    for backend in BACKENDS {
        let Some(home) = Home::empty(backend).await else { continue };
        let first = start(&home, &[]);
        let (shop, owner) = open(&home, &first).await;
        let wish = json!({"items": [{"kind": "revision.published", "mode": "immediate"}]});
        let put = Client::new(&first.base);
        let put = put.try_send(Method::PUT, "/api/v1/notices/mail-preferences", &owner, None, Some(&wish)).await;
        assert_eq!(put.expect("an answer").0, 200);
        drop(first);
        let conn = home.connect().await;
        let mail_through = async |url: &str| {
            let server = start(&home, &[("TORV_NOTIFY__MAIL_SMTP_URL", url)]);
            publish(&Client::new(&server.base), &shop.provider, &shop.listing).await;
            server
        };
        for good in [SmtpSink::start_secured(Shows::Good).await, SmtpSink::start_with_starttls(Shows::Good).await] {
            let _server = mail_through(&good.url).await;
            let letter = wait_for("the mail", async || good.letters().first().cloned()).await;
            assert!(letter.text().contains("New data in “Berths”"), "{}", letter.text());
        }
        let mut refused = Vec::new();
        for (shows, words) in kinds {
            refused.push((SmtpSink::start_secured(shows).await, words));
            refused.push((SmtpSink::start_with_starttls(shows).await, words));
        }
        for (times, (sink, words)) in refused.iter().enumerate() {
            let _server = mail_through(&sink.url).await;
            wait_for(words, async || {
                let told = last_errors(&conn).await;
                (told.len() > times && told.iter().filter(|told| told == words).count() > times % 2).then_some(())
            })
            .await;
            assert!(sink.letters().is_empty(), "nothing was handed over: {words}");
        }
        // A server that offers no STARTTLS, or somebody between who took the offer away, is told nothing in the clear.
        let stripped = SmtpSink::start().await;
        let _server = mail_through(&format!("{}?tls=required", stripped.url)).await;
        wait_for("the last mail", async || (last_errors(&conn).await.len() > refused.len()).then_some(())).await;
        assert!(stripped.letters().is_empty());
    }
}
