//! Tax profiles: who keeps them, and what they change.

use serde_json::json;

use super::{DANISH_ID, OPERATOR_ID, Parties, assert_verified, documents, profile, put_profile};
use crate::support::{TestApp, on_both, one_off};

on_both! {
    async fn a_profile_is_checked_and_kept_in_versions(app) {
        let org = app.provider().await;
        let path = format!("/api/v1/organizations/{}/tax-profile", org.id);
        let before = app.as_org(&org, "GET", &path).send().await.expect(200).json();
        assert_eq!((&before["version"], &before["profile"]["country"]), (&json!(0), &json!("DK")));
        let wrong = profile("DK", Some("DK88146327"));
        let refused = app.as_org(&org, "PUT", &path).json(&wrong).send().await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/vat_id");
        let right = profile("DK", Some("88 14 63 28"));
        for _ in 0..2 {
            let put = app.as_org(&org, "PUT", &path).json(&right).send().await.expect(200).json();
            assert_eq!((&put["version"], &put["profile"]["vat_id"]), (&json!(1), &json!(DANISH_ID)));
        }
        let other = app.as_org(&org, "PUT", &path).json(&profile("SE", None)).send().await.expect(200).json();
        assert_eq!(other["version"], 2);
    }

    async fn a_change_touches_no_document_and_no_order_from_before(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(1_000), ids).await;
        parties.buy(app, "first").await;
        let issued = documents(app).await;
        // A second order is placed, then everybody changes, and only then it is paid.
        let placed = app.order(&parties.buyer, &parties.sale, "second", None).await.expect(201).str("/id");
        app.advance(time::Duration::minutes(1));
        put_profile(app, &parties.sale.provider, &profile("SE", None)).await;
        app.pay(&parties.buyer, &placed, "p", "pm_card_visa").await.expect(200);
        app.run_jobs().await;
        let after = documents(app).await;
        assert_eq!(after[..issued.len()], issued[..]);
        let second = after.iter().find(|row| row.order_id.to_string() == placed && row.buyer_id == parties.buyer.id);
        let second = second.expect("the second invoice");
        assert_eq!((second.tax_minor, second.payable_minor), (250, 1_250));
        assert!(second.body.contains(DANISH_ID));
        // A third one is taxed as the profile says now.
        let third = parties.buy(app, "third").await;
        assert_eq!(third["tax"]["minor"], 0);
        assert_verified(app).await;
    }

    async fn documents_are_for_their_parties_and_the_operator(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(1_000), ids).await;
        let stranger = app.buyer().await;
        parties.buy(app, "k").await;
        let count = async |app: &TestApp, org| {
            let page = app.as_org(org, "GET", "/api/v1/documents").send().await.expect(200).json();
            page["items"].as_array().expect("items").len()
        };
        assert_eq!(count(app, &parties.buyer).await, 1);
        assert_eq!(count(app, &parties.sale.provider).await, 2);
        assert_eq!(count(app, &parties.operator).await, 2);
        assert_eq!(count(app, &stranger).await, 0);
        let commission = documents(app).await.into_iter().find(|row| row.seller_id == parties.operator.id).unwrap();
        for what in ["", "/pdf", "/ubl"] {
            let path = format!("/api/v1/documents/{}{what}", commission.id);
            app.as_org(&parties.sale.provider, "GET", &path).send().await.expect(200);
            app.as_org(&parties.buyer, "GET", &path).send().await.expect(404);
            app.as_org(&stranger, "GET", &path).send().await.expect(404);
        }
        let path = format!("/api/v1/documents/{}/pdf?lang=fr", commission.id);
        app.as_org(&parties.operator, "GET", &path).send().await.expect(422);
        let pdfs = [("da", "da"), ("da", "ja")].map(<[&str; 2]>::from);
        for [one, other] in pdfs {
            let get = async |lang: &str| {
                let path = format!("/api/v1/documents/{}/pdf?lang={lang}", commission.id);
                app.as_org(&parties.operator, "GET", &path).send().await.expect(200).bytes
            };
            assert_eq!(get(one).await == get(other).await, one == other, "{one} {other}");
        }
    }
}
