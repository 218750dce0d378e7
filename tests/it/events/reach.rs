//! Where webhooks are not sent: to the machines behind the exchange.

use entity::states::Coverage;
use serde_json::json;

use crate::support::{
    Backend, Home, TestApp,
    receiver::{Receiver, Says},
};

/// An exchange with the settings it has on the open internet, but for `http`.
async fn on_the_open_internet(allow_http: bool) -> TestApp {
    let home = Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    TestApp::start(home, |config| {
        config.notify.webhook_allow_http = allow_http;
        config.notify.webhook_allowed_networks = String::new();
        config.notify.webhook_ports = vec![443, 80];
    })
    .await
}

#[tokio::test]
async fn an_address_inside_is_refused_when_it_is_given() {
    let app = on_the_open_internet(false).await;
    let org = app.buyer().await;
    for inside in [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://127.8.9.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://172.20.0.1/",
        "https://192.168.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.100.100.200/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:7f00:1::]/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://localhost/",
        "https://db.internal/",
        "https://db/",
        "https://example.org:22/",
        "https://example.org:6379/",
        "https://user:word@example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "javascript:1",
    ] {
        let answer = app.make_endpoint(&org, inside, &json!({})).await.expect(422);
        assert_eq!(answer.str("/errors/0/pointer"), "/url", "{inside}");
    }
    app.make_endpoint(&org, "https://hooks.example.org/torv?for=me", &json!({})).await.expect(201);
}

#[tokio::test]
async fn a_name_that_stands_for_an_address_inside_is_refused_when_it_is_sent_to() {
    let app = on_the_open_internet(true).await;
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let receiver = Receiver::start().await;
    let made = app.make_endpoint(&granted.buyer, "http://hooks.example.org/", &json!({})).await.expect(201);
    // As if the name had been moved to this machine after it was taken.
    let port = receiver.url.rsplit(':').next().expect("a port").trim_end_matches("/hook").to_owned();
    for (number, url) in [(1, format!("http://localhost:{port}/")), (2, format!("http://127.0.0.1:{port}/"))] {
        app.move_endpoint(&made.str("/id"), &url).await;
        app.revisions(granted.listing, [number]).await;
        app.run_jobs().await;
        app.advance(time::Duration::seconds(6));
    }
    app.run_jobs().await;
    assert_eq!(receiver.got().len(), 0);
    let path = format!("/api/v1/webhook-endpoints/{}/deliveries", made.str("/id"));
    let list = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).json();
    let first = list["items"][1]["id"].as_str().expect("the first delivery").to_owned();
    let log = app.as_org(&granted.buyer, "GET", &format!("{path}/{first}")).send().await.expect(200).json();
    let failures: Vec<_> = log["log"].as_array().expect("a list").iter().map(|one| one["failure"].clone()).collect();
    assert_eq!(failures, ["unresolved", "refused"]);
    app.check_what_is_left().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let home = Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    let app = TestApp::start(home, |_| {}).await;
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let (hook, inside) = (app.hook(&granted.buyer, &json!({})).await, Receiver::start().await);
    let headers = vec![("location", inside.url.clone())];
    hook.receiver.answer(move |_| Says { status: 307, headers: headers.clone(), ..Says::default() });
    app.revisions(granted.listing, [1]).await;
    app.run_jobs().await;
    assert_eq!((hook.receiver.got().len(), inside.got().len()), (1, 0));
    assert_eq!(app.deliveries(&hook, "pending").await[0]["last_status"], 307);
}

impl TestApp {
    /// Moves an endpoint past all that is looked at when one is given.
    async fn move_endpoint(&self, id: &str, url: &str) {
        use entity::webhook_endpoint::{Column, Entity};
        use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
        let (id, url): (entity::ids::WebhookEndpointId, _) = (id.parse().expect("an id"), url.to_owned());
        self.app
            .db
            .write("test.move_endpoint", move |tx| {
                let url = url.clone();
                async move {
                    Entity::update_many()
                        .col_expr(Column::Url, Expr::value(url))
                        .filter(Column::Id.eq(id))
                        .exec(tx.conn())
                        .await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("it is moved");
    }
}
