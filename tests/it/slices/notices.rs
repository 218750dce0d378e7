//! Who bought a slice is told when it is there, and when it can't be made, in every way there is of telling.

use entity::states::Role;
use serde_json::json;

use super::{ROWS, buy, by_row, market, miscount, tasks};
use crate::{
    after_sale::issue,
    support::{on_both, smtp::Letter},
};

on_both! {
    async fn a_slice_that_is_ready_is_told_in_the_app_by_stream_mail_and_webhook(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let hook = app.hook(&buyer, &json!({"kinds": ["slice.ready", "slice.failed"]})).await;
        let token = app.member(&buyer, Role::Viewer).await;
        let wish = json!({"items": [{"kind": "slice.ready", "mode": "immediate"}]});
        app.request("PUT", "/api/v1/notices/mail-preferences").bearer(&token).json(&wish).send().await.expect(200);
        let stop = app.look_out();
        let mut stream = app.follow(&buyer.key, "?kind=slice.ready&lang=da", None).await.expect("a stream");
        let (order, grant) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        assert!(!app.told_kinds(&buyer).await.contains(&"slice.ready".to_owned()), "it is not made yet");
        app.run_jobs().await;
        let told = app.notices_of(&buyer).await;
        let told: Vec<_> = told.iter().filter(|notice| notice["kind"] == "slice.ready").collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["data"], json!({"grant_id": grant, "file": "levels.csv", "rows": ROWS,
            "order_id": order["id"], "listing_id": sale.listing}));
        let (_, streamed) = stream.next().await.expect("an event");
        stop.cancel();
        assert_eq!((&streamed["id"], &streamed["data"]), (&told[0]["id"], &told[0]["data"]));
        assert!(streamed["title"].as_str().unwrap().starts_with("Dit udsnit af »"), "{streamed}");
        let got = hook.receiver.got();
        assert_eq!((got.len(), got[0].signatures_by(&hook.secret)), (1, 1));
        assert_eq!((&got[0].json()["type"], &got[0].json()["data"]), (&json!("slice.ready"), &told[0]["data"]));
        let mails: Vec<_> = std::fs::read_dir(app.home.path().join("mail")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(mails.len(), 1);
        let letter = Letter { raw: std::fs::read_to_string(&mails[0]).unwrap(), ..Letter::default() };
        assert!(letter.text().contains("Your slice of “"), "{}", letter.text());
        for other in [&sale.provider, &app.buyer().await] {
            assert!(!app.told_kinds(other).await.contains(&"slice.ready".to_owned()), "the others have nothing to fetch");
        }
    }

    async fn a_slice_that_can_not_be_made_is_told_with_what_follows(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let operator = app.operator().await;
        let hook = app.hook(&buyer, &json!({"kinds": ["slice.failed", "slice.ready"]})).await;
        let (order, grant) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        miscount(app, grant, 7).await;
        app.run_jobs().await;
        for org in [&buyer, &sale.provider, &operator] {
            let told = app.notices_of(org).await;
            let failed = told.iter().find(|notice| notice["kind"] == "slice.failed").expect("all three are told");
            assert!(failed["data"]["reason"].as_str().unwrap().contains("not those that were counted"), "{failed}");
            let refunds = format!("POST /api/v1/orders/{}/refunds", order["id"].as_str().unwrap());
            assert!(failed["data"]["next"].as_str().unwrap().contains(&refunds), "{failed}");
        }
        miscount(app, grant, ROWS).await;
        let id = tasks(app).await.into_iter().find(|task| task.grant_id == Some(grant)).unwrap().id;
        app.post(&operator, &format!("/api/v1/slices/{id}/retry")).await.expect(204);
        app.run_jobs().await;
        let kinds: Vec<_> = hook.receiver.got().iter().map(|got| got.json()["type"].clone()).collect();
        assert_eq!(kinds, ["slice.failed", "slice.ready"]);
    }

    async fn what_a_refund_has_closed_is_told_no_more(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let operator = app.operator().await;
        let (order, _) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        issue(app, &operator, order["id"].as_str().unwrap().parse().unwrap(), None, "back").await.expect(201);
        app.run_jobs().await;
        let told = app.told_kinds(&buyer).await;
        assert!(told.contains(&"grant.ended".to_owned()) && !told.contains(&"slice.ready".to_owned()), "{told:?}");
    }
}
