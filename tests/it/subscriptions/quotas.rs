use entity::states::OfferKind;
use serde_json::{Value, json};
use time::Duration;

use super::market::VISA;
use crate::support::{Answer, Backend, ForSale, TestApp, TestOrg, on_both, one_off};

fn pack(unit: &str, units: i64) -> Value {
    json!({"quota": {"unit": unit, "units": units}})
}

async fn buy(app: &TestApp, buyer: &TestOrg, sale: &ForSale, key: &str) -> String {
    let order = app.order(buyer, sale, key, Some(VISA)).await.expect(201);
    assert_eq!(order.str("/state"), "completed");
    order.str("/grant_id")
}

async fn url(app: &TestApp, buyer: &TestOrg, grant: &str) -> String {
    let files = app.as_org(buyer, "GET", &format!("/api/v1/grants/{grant}/files")).send().await.expect(200);
    files.str("/items/0/url").strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
}

async fn download(app: &TestApp, buyer: &TestOrg, grant: &str) -> u16 {
    let answer = app.get(&url(app, buyer, grant).await).await;
    app.app.recorder.flush().await;
    answer.status
}

async fn statement(app: &TestApp, buyer: &TestOrg) -> Value {
    let listed = app.as_org(buyer, "GET", "/api/v1/quotas").send().await.expect(200).json();
    let id = listed["items"][0]["id"].as_str().unwrap();
    let one = app.as_org(buyer, "GET", &format!("/api/v1/quotas/{id}")).send().await.expect(200).json();
    assert_eq!(listed["items"][0], one);
    let number = |name: &str| one[name].as_i64().unwrap();
    assert_eq!(number("granted"), number("used") + number("withdrawn") + number("left") - number("overshoot"), "{one}");
    let days: i64 = one["days"].as_array().unwrap().iter().map(|day| day["units"].as_i64().unwrap()).sum();
    assert_eq!(days, number("used"), "{one}");
    one
}

fn left(statement: &Value) -> Vec<i64> {
    statement["packs"].as_array().unwrap().iter().map(|pack| pack["left"].as_i64().unwrap()).collect()
}

async fn report(app: &TestApp, sale: &ForSale, meter: &str, key: &str, units: i64) -> Answer {
    let at = app.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap();
    let body = json!({"records": [{"key": key, "units": units, "occurred_at": at}]});
    app.as_org(&sale.provider, "POST", &format!("/api/v1/quotas/{meter}/usage")).json(&body).send().await
}

on_both! {
    async fn packs_are_used_up_oldest_first_and_access_stops_at_nothing(app) {
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("request", 3)).await;
        let first = buy(app, &buyer, &sale, "one").await;
        app.advance(Duration::HOUR);
        let second = buy(app, &buyer, &sale, "two").await;
        for n in 0..4 { assert_eq!(download(app, &buyer, &first).await, 200, "{n}") }
        assert_eq!(left(&statement(app, &buyer).await), [0, 2]);
        for n in 0..2 { assert_eq!(download(app, &buyer, &second).await, 200, "{n}") }
        assert_eq!((download(app, &buyer, &first).await, download(app, &buyer, &second).await), (409, 409));
        let used_up = statement(app, &buyer).await;
        assert_eq!((&used_up["left"], &used_up["overshoot"]), (&json!(0), &json!(0)));
        let third = buy(app, &buyer, &sale, "three").await;
        assert_eq!(download(app, &buyer, &third).await, 200, "another pack opens at once");
        app.settle_all().await;
        app.assert_all_agrees("packs").await;
    }

    async fn a_file_larger_than_the_bytes_left_is_refused(app) {
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("byte", 7)).await;
        let grant = buy(app, &buyer, &sale, "one").await;
        let url = url(app, &buyer, &grant).await;
        app.get(&url).await.expect(409);
        app.request("GET", &url).header("range", "bytes=0-6").send().await.expect(206);
        app.app.recorder.flush().await;
        app.request("GET", &url).header("range", "bytes=0-0").send().await.expect(409);
        assert_eq!(statement(app, &buyer).await["left"], 0);
    }

    async fn racing_downloads_of_one_process_never_go_below_nothing(app) {
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("request", 7)).await;
        let grant = buy(app, &buyer, &sale, "one").await;
        let url = url(app, &buyer, &grant).await;
        for _ in 0..4 {
            futures::future::join_all((0..20).map(|_| app.get(&url))).await;
            app.app.recorder.flush().await;
        }
        let done = statement(app, &buyer).await;
        assert_eq!((&done["used"], &done["overshoot"]), (&json!(7), &json!(0)));
        app.settle_all().await;
        app.assert_all_agrees("racing downloads").await;
    }

    async fn several_processes_overshoot_by_at_most_what_the_others_were_sending(app) {
        if app.backend == Backend::Sqlite { return }
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("request", 5)).await;
        let grant = buy(app, &buyer, &sale, "one").await;
        let url = url(app, &buyer, &grant).await;
        let sibling = app.sibling().await;
        let (ours, theirs) = tokio::join!(
            futures::future::join_all((0..12).map(|_| app.get(&url))),
            futures::future::join_all((0..12).map(|_| sibling.get(&url))),
        );
        let sent = |answers: &[Answer]| i64::try_from(answers.iter().filter(|answer| answer.status == 200).count()).unwrap();
        let (ours, theirs) = (sent(&ours), sent(&theirs));
        assert!(ours <= 5 && theirs <= 5, "each alone keeps the limit: {ours}, {theirs}");
        app.app.recorder.flush().await;
        sibling.app.recorder.flush().await;
        let done = statement(app, &buyer).await;
        assert_eq!(done["used"], ours + theirs, "everything is counted");
        assert!(done["overshoot"].as_i64().unwrap() <= ours.min(theirs), "{done}");
        app.settle_all().await;
        app.assert_all_agrees("two processes").await;
    }

    async fn reports_beyond_what_is_left_are_refused_even_when_they_race(app) {
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("event", 10)).await;
        buy(app, &buyer, &sale, "one").await;
        let meter = statement(app, &buyer).await["id"].as_str().unwrap().to_owned();
        let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
        let answers = futures::future::join_all(keys.iter().map(|key| report(app, &sale, &meter, key, 3))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)));
        assert_eq!(statement(app, &buyer).await["left"], 1);
        app.settle_all().await;
        app.assert_all_agrees("racing reports").await;
    }

    async fn units_whose_money_went_back_are_withdrawn_once(app) {
        let (sale, buyer) = app.planned(&one_off(500), OfferKind::QuotaPack, &pack("request", 3)).await;
        let grant = buy(app, &buyer, &sale, "one").await;
        assert_eq!(download(app, &buyer, &grant).await, 200);
        let order: entity::ids::OrderId = app.only_order_of(&buyer).await.parse().unwrap();
        let withdraw = async || app.write(async move |tx| torv::trade::usage::withdraw_pack(tx, order).await.unwrap()).await;
        assert_eq!((withdraw().await, withdraw().await), (2, 0));
        assert_eq!(download(app, &buyer, &grant).await, 409);
        let done = statement(app, &buyer).await;
        assert_eq!((&done["granted"], &done["used"], &done["withdrawn"], &done["left"]), (&json!(3), &json!(1), &json!(2), &json!(0)));
        app.settle_all().await;
        app.assert_all_agrees("withdrawn").await;
    }
}
