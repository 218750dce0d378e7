//! Private offers: there for one organisation, and for nobody else.

use entity::states::ProviderKind;
use serde_json::{Value, json};
use time::Duration;

use super::{VISA, pointers, problem, publish, quote, with};
use crate::support::{ForSale, May, TestApp, TestOrg, free, on_both, one_off};

async fn private(app: &TestApp, provider: &TestOrg, listing: &str, buyer: &TestOrg, conditions: Value) -> ForSale {
    let until = entity::Timestamp(app.clock.now() + Duration::days(10));
    let body = with(with(conditions, "plan", json!({"private_to": buyer.id})), "valid_until", json!(until));
    app.also_for_sale(provider, listing, &body).await
}

async fn offers(app: &TestApp, org: Option<&TestOrg>, listing: &str) -> usize {
    let path = format!("/api/v1/listings/{listing}/offers");
    let page = match org {
        Some(org) => app.as_org(org, "GET", &path).send().await,
        None => app.get(&path).await,
    };
    page.expect(200).json()["items"].as_array().expect("items").len()
}

on_both! {
    async fn a_private_offer_is_there_for_one_organisation_and_its_owner(app) {
        let (provider, buyer, stranger) = (app.provider().await, app.buyer().await, app.buyer().await);
        let listing = app.published(&provider, &json!({})).await;
        let sale = private(app, &provider, &listing, &buyer, one_off(500)).await;
        let path = format!("/api/v1/offers/{}", sale.offer);
        for org in [&provider, &buyer] {
            let seen = app.as_org(org, "GET", &path).send().await.expect(200).json();
            assert_eq!(seen["plan"]["private_to"], json!(buyer.id));
            assert_eq!(offers(app, Some(org), &listing).await, 1);
            quote(app, org, &json!({"offer_id": sale.offer})).await.expect(200);
        }
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        app.get(&path).await.expect(404);
        assert_eq!((offers(app, Some(&stranger), &listing).await, offers(app, None, &listing).await), (0, 0));
        quote(app, &stranger, &json!({"offer_id": sale.offer})).await.expect(404);
        app.order(&stranger, &sale, "k", VISA).await.expect(404);
        app.order(&buyer, &sale, "k", VISA).await.expect(201);
        app.advance(Duration::days(10));
        app.order(&buyer, &sale, "late", VISA).await.expect(404);
        app.run_jobs().await;
    }

    async fn a_private_price_is_not_in_the_catalogue(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let listing = app.published(&provider, &json!({})).await;
        private(app, &provider, &listing, &buyer, one_off(77)).await;
        assert_eq!(app.offered(listing.parse().unwrap()).await, (false, false));
        app.also_for_sale(&provider, &listing, &one_off(500)).await;
        app.also_for_sale(&provider, &listing, &free()).await;
        private(app, &provider, &listing, &buyer, one_off(5)).await;
        let found = app.get("/api/v1/listings?paid=true").await.expect(200).json();
        assert_eq!(found["items"][0]["prices_from"], json!([{"minor": 500, "currency": "EUR"}]));
    }

    async fn nobody_makes_an_offer_private_to_themselves_or_to_nobody(app) {
        let provider = app.provider().await;
        let listing = app.published(&provider, &json!({})).await;
        let until = entity::Timestamp(app.clock.now() + Duration::days(10));
        for org in [provider.id, entity::ids::OrgId::derived("nobody")] {
            let body = json!({"kind": "free", "licence": "CC-BY-4.0", "valid_until": until, "plan": {"private_to": org}});
            let refused = publish(app, &provider, &listing, &body).await.expect(422);
            assert_eq!(pointers(&refused), ["/plan/private_to"]);
        }
    }

    async fn a_private_price_does_not_get_around_the_price_guard(app) {
        let public = app.org("city", May { provide: Some(ProviderKind::PublicSector), buy: false, operate: false }).await;
        let buyer = app.buyer().await;
        let listing = app.draft(&public, &json!({"theme": "economy"})).await;
        app.publish_data(&public, &listing, "levels.csv", "a\n1\n").await;
        app.also_for_sale(&public, &listing, &free()).await;
        app.post(&public, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
        let sale = private(app, &public, &listing, &buyer, one_off(500)).await;
        quote(app, &buyer, &json!({"offer_id": sale.offer})).await.expect(200);
        let id: entity::ids::ListingId = listing.parse().unwrap();
        app.write(async move |tx: &torv::db::Tx| {
            use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
            entity::listing::Entity::update_many()
                .col_expr(entity::listing::Column::Theme, Expr::value(entity::states::Theme::Transport))
                .filter(entity::listing::Column::Id.eq(id))
                .exec(tx.conn())
                .await
                .expect("written");
        })
        .await;
        let refused = quote(app, &buyer, &json!({"offer_id": sale.offer})).await.expect(403);
        assert_eq!(problem(&refused), "price-guard");
        app.order(&buyer, &sale, "k", VISA).await.expect(403);
    }
}
