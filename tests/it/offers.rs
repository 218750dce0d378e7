use entity::{
    ids::ListingId,
    states::{Audience, ListingState, PersonalData, ProviderKind, Theme},
};
use serde_json::{Value, json};
use time::Duration;
use torv::terms::{licences::Preset, offers::offer_for_sale};

use crate::support::{Answer, Made, May, TestApp, TestOrg, on_both};

async fn post(app: &TestApp, org: &TestOrg, listing: ListingId, body: &Value) -> Answer {
    app.as_org(org, "POST", &format!("/api/v1/listings/{listing}/offers")).json(body).send().await
}

async fn publish(app: &TestApp, org: &TestOrg, listing: ListingId, body: &Value) -> Value {
    post(app, org, listing, body).await.expect(201).json()
}

async fn withdraw(app: &TestApp, org: &TestOrg, offer: &Value) -> Answer {
    app.as_org(org, "POST", &format!("/api/v1/offers/{}/withdraw", id(offer))).send().await
}

async fn list(app: &TestApp, listing: ListingId) -> Vec<Value> {
    let page = app.get(&format!("/api/v1/listings/{listing}/offers")).await.expect(200).json();
    page["items"].as_array().expect("items").clone()
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("an id")
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().expect("errors").iter();
    errors.filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
}

async fn licence(app: &TestApp, org: &TestOrg, body: &Value) -> String {
    let made = app.as_org(org, "POST", "/api/v1/licences").json(body).send().await.expect(201);
    made.str("/licence/id")
}

async fn commercial(app: &TestApp, org: &TestOrg) -> String {
    licence(app, org, &json!({"preset": "internal_use"})).await
}

fn free() -> Value {
    json!({"kind": "free", "licence": "CC-BY-4.0"})
}

fn one_off(licence: &str, minor: i64) -> Value {
    json!({"kind": "one_off", "price": {"minor": minor, "currency": "DKK"}, "licence_id": licence})
}

/// The same body with one field more, or another value in it.
fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn published() -> Made {
    Made { state: ListingState::Published, ..Made::default() }
}

on_both! {
    async fn a_free_offer_shows_its_licence_and_no_price(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let answer = post(app, &provider, listing, &with(free(), "licence", json!("cc by 4.0"))).await.expect(201);
        let offer = answer.json();
        assert_eq!(answer.header("location"), format!("/api/v1/offers/{}", id(&offer)));
        assert_eq!(offer["status"], "active");
        assert_eq!(offer["coverage"], "while_active");
        assert_eq!(offer["licence"]["code"], "CC-BY-4.0");
        assert!(offer.get("price").is_none() && offer.get("valid_until").is_none());
        assert_eq!(list(app, listing).await, std::slice::from_ref(&offer));
        assert_eq!(app.get(&format!("/api/v1/offers/{}", id(&offer))).await.expect(200).json(), offer);
        assert_eq!(app.offered(listing).await, (true, false));
        app.get(offer["licence"]["document_url"].as_str().expect("a URL")).await.expect(200);
    }

    async fn several_offers_stand_side_by_side_each_in_its_currency(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let licence = commercial(app, &provider).await;
        publish(app, &provider, listing, &free()).await;
        app.advance(Duration::SECOND);
        let once = publish(app, &provider, listing, &one_off(&licence, 49_900)).await;
        app.advance(Duration::SECOND);
        let year = json!({"kind": "subscription", "price": {"minor": 12_000, "currency": "JPY"}, "term_months": 12,
            "licence_id": licence, "approval_required": true});
        let year = publish(app, &provider, listing, &year).await;
        assert_eq!(once["coverage"], "snapshot");
        assert_eq!((&year["coverage"], &year["approval_required"]), (&json!("while_active"), &json!(true)));
        let kinds: Vec<_> = list(app, listing).await.iter().map(|offer| offer["kind"].clone()).collect();
        assert_eq!(kinds, ["subscription", "one_off", "free"]);
        assert_eq!(app.offered(listing).await, (true, true));
    }

    async fn a_draft_can_be_published_once_it_has_a_price_and_is_found_by_it(app) {
        let provider = app.provider().await;
        let draft = app.draft(&provider, &json!({"theme": "economy", "answer_within_days": null})).await;
        app.publish_data(&provider, &draft, "levels.csv", "station,level\nAsuwa,1.25\n").await;
        let publish_it = format!("/api/v1/listings/{draft}/publish");
        app.post(&provider, &publish_it).await.expect(409);
        let listing = draft.parse().expect("a listing id");
        let licence = commercial(app, &provider).await;
        let offer = publish(app, &provider, listing, &one_off(&licence, 49_900)).await;
        app.post(&provider, &publish_it).await.expect(200);
        let found = app.get("/api/v1/listings?price_currency=DKK&price_max_minor=49900&licence=commercial").await.expect(200).json();
        assert_eq!(found["items"][0]["id"], json!(draft));
        withdraw(app, &provider, &offer).await.expect(409);
    }

    async fn every_condition_that_makes_no_sense_is_pointed_at(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, Made::default()).await;
        let licence = commercial(app, &provider).await;
        let priced = one_off(&licence, 100);
        let month = with(with(priced.clone(), "kind", json!("subscription")), "term_months", json!(1));
        for (body, pointer) in [
            (one_off(&licence, 0), "/price/minor"),
            (one_off(&licence, -1), "/price/minor"),
            (one_off(&licence, 100_000_000), "/price/minor"),
            (with(priced.clone(), "price", json!({"minor": 1.5, "currency": "EUR"})), "/price/minor"),
            (with(priced.clone(), "price", json!({"minor": 1, "currency": "XXX"})), "/price/currency"),
            (with(priced.clone(), "price", Value::Null), "/price"),
            (with(free(), "price", json!({"minor": 1, "currency": "EUR"})), "/price"),
            (with(priced.clone(), "term_months", json!(3)), "/term_months"),
            (with(month.clone(), "term_months", json!(0)), "/term_months"),
            (with(month.clone(), "term_months", json!(37)), "/term_months"),
            (with(month.clone(), "term_months", json!(13)), "/term_months"),
            (with(month, "term_months", Value::Null), "/term_months"),
            (with(free(), "valid_from", json!("2026-11-21T09:58:59Z")), "/valid_from"),
            (with(free(), "valid_from", json!("2028-11-21T10:00:00Z")), "/valid_from"),
            (with(free(), "valid_until", json!("2026-11-21T10:00:00Z")), "/valid_until"),
            (with(free(), "licence", Value::Null), "/licence_id"),
            (with(free(), "licence_id", json!(licence)), "/licence_id"),
            (with(free(), "licence", json!("CC-BY-NC-4.0")), "/licence"),
            (with(free(), "discount", json!(1)), "/discount"),
            (with(free(), "kind", json!("auction")), "/kind"),
        ] {
            let answer = post(app, &provider, listing, &body).await.expect(422);
            assert_eq!(pointers(&answer), [pointer], "{body}");
        }
        assert_eq!(app.offered(listing).await, (false, false));
    }

    async fn only_a_licence_of_ones_own_carries_a_price(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let listing = app.listing(&provider, Made::default()).await;
        let open = with(free(), "kind", json!("one_off"));
        let answer = post(app, &provider, listing, &with(open, "price", json!({"minor": 1, "currency": "EUR"}))).await;
        assert_eq!(pointers(&answer.expect(422)), ["/licence"]);
        let foreign = commercial(app, &other).await;
        assert_eq!(pointers(&post(app, &provider, listing, &one_off(&foreign, 1)).await.expect(422)), ["/licence_id"]);
        let archived = commercial(app, &provider).await;
        app.as_org(&provider, "DELETE", &format!("/api/v1/licences/{archived}")).send().await.expect(204);
        assert_eq!(pointers(&post(app, &provider, listing, &one_off(&archived, 1)).await.expect(422)), ["/licence_id"]);
    }

    async fn archiving_a_licence_leaves_the_offers_that_have_it(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let licence = commercial(app, &provider).await;
        let offer = publish(app, &provider, listing, &one_off(&licence, 100)).await;
        app.as_org(&provider, "DELETE", &format!("/api/v1/licences/{licence}")).send().await.expect(204);
        assert_eq!(list(app, listing).await, [offer]);
    }

    async fn personal_data_needs_a_licence_that_declares_it(app) {
        let provider = app.provider().await;
        let personal_data = PersonalData::Pseudonymised;
        let listing = app.listing(&provider, Made { personal_data, ..Made::default() }).await;
        assert_eq!(pointers(&post(app, &provider, listing, &free()).await.expect(422)), ["/licence"]);
        let silent = commercial(app, &provider).await;
        assert_eq!(pointers(&post(app, &provider, listing, &one_off(&silent, 1)).await.expect(422)), ["/licence_id"]);
        let mut terms = serde_json::to_value(Preset::InternalUse.terms()).expect("JSON");
        terms["personal_data"] = json!({
            "level": "pseudonymised", "re_identification_prohibited": true, "dpa_url": "https://example.org/dpa"
        });
        let licence = licence(app, &provider, &json!({"title": {"en": "With care"}, "terms": terms})).await;
        publish(app, &provider, listing, &one_off(&licence, 1)).await;
        let harmless = app.listing(&provider, Made::default()).await;
        assert_eq!(pointers(&post(app, &provider, harmless, &one_off(&licence, 1)).await.expect(422)), ["/licence_id"]);
    }

    async fn the_law_keeps_some_data_of_public_bodies_free_and_is_cited(app) {
        let city = May { provide: Some(ProviderKind::PublicSector), buy: false, operate: false };
        let (city, company) = (app.org("city", city).await, app.provider().await);
        let guarded = Made { theme: Theme::Transport, ..Made::default() };
        let listing = app.listing(&city, guarded).await;
        let licence = commercial(app, &city).await;
        let answer = post(app, &city, listing, &one_off(&licence, 100)).await.expect(403);
        assert_eq!(answer.json()["type"], "/problems/price-guard");
        assert!(answer.str("/detail").contains("2023/138") && answer.str("/detail").contains("mobility"));
        publish(app, &city, listing, &free()).await;
        let unguarded = app.listing(&city, Made { theme: Theme::Culture, ..Made::default() }).await;
        publish(app, &city, unguarded, &one_off(&licence, 100)).await;
        let listing = app.listing(&company, guarded).await;
        let licence = commercial(app, &company).await;
        publish(app, &company, listing, &one_off(&licence, 100)).await;
    }

    async fn nobody_offers_what_is_not_theirs(app) {
        let (provider, other, buyer) = (app.provider().await, app.provider().await, app.buyer().await);
        let listing = app.listing(&provider, published()).await;
        let offer = publish(app, &provider, listing, &free()).await;
        post(app, &other, listing, &free()).await.expect(404);
        withdraw(app, &other, &offer).await.expect(404);
        post(app, &buyer, listing, &free()).await.expect(403);
        let path = format!("/api/v1/listings/{listing}/offers");
        app.request("POST", &path).json(&free()).send().await.expect(401);
        let reader = app.key(&provider, &["read", "buy"]).await;
        app.request("POST", &path).bearer(&reader).json(&free()).send().await.expect(403);
        post(app, &provider, ListingId::derived("none"), &free()).await.expect(404);
    }

    async fn offers_are_seen_by_those_who_see_the_listing(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let hidden = Made { audience: Audience::Named, ..published() };
        for made in [Made::default(), hidden] {
            let listing = app.listing(&provider, made).await;
            let offer = publish(app, &provider, listing, &free()).await;
            for path in [format!("/api/v1/listings/{listing}/offers"), format!("/api/v1/offers/{}", id(&offer))] {
                app.as_org(&provider, "GET", &path).send().await.expect(200);
                app.as_org(&other, "GET", &path).send().await.expect(404);
                let answer = app.get(&path).await.expect(404);
                if path.contains("/offers/off_") {
                    let unknown = app.get("/api/v1/offers/off_00000000000000000000000000000000").await.expect(404);
                    assert_eq!(unknown.json()["detail"], answer.json()["detail"]);
                }
            }
        }
    }

    async fn a_retired_listing_takes_no_offers(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, Made { state: ListingState::Retired, ..Made::default() }).await;
        post(app, &provider, listing, &free()).await.expect(409);
    }

    async fn a_listing_has_at_most_twenty_offers(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let mut offers = Vec::new();
        for _ in 0..20 {
            offers.push(publish(app, &provider, listing, &free()).await);
        }
        post(app, &provider, listing, &free()).await.expect(409);
        withdraw(app, &provider, &offers[0]).await.expect(200);
        publish(app, &provider, listing, &free()).await;
    }

    async fn racing_providers_never_exceed_the_limit(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let body = free();
        let answers = futures::future::join_all((0..24).map(|_| post(app, &provider, listing, &body))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!((made, list(app, listing).await.len()), (20, 20));
        assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    }

    async fn a_withdrawn_offer_leaves_the_list_and_is_still_readable(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, Made { answer_within_days: Some(5), ..published() }).await;
        let licence = commercial(app, &provider).await;
        let offer = publish(app, &provider, listing, &one_off(&licence, 100)).await;
        app.advance(Duration::MINUTE);
        let gone = withdraw(app, &provider, &offer).await.expect(200).json();
        assert_eq!((&gone["status"], &gone["withdrawn_at"]), (&json!("withdrawn"), &json!("2026-11-21T10:01:00Z")));
        withdraw(app, &provider, &offer).await.expect(409);
        assert!(list(app, listing).await.is_empty());
        assert_eq!(app.offered(listing).await, (false, false));
        assert_eq!(app.get(&format!("/api/v1/offers/{}", id(&offer))).await.expect(200).json(), gone);
        let path = format!("/api/v1/listings/{listing}/offers?all=true");
        let all = app.as_org(&provider, "GET", &path).send().await.expect(200).json();
        assert_eq!(all["items"], json!([gone]));
        app.get(&path).await.expect(403);
    }

    async fn the_last_offer_of_a_published_listing_stays(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let first = publish(app, &provider, listing, &free()).await;
        withdraw(app, &provider, &first).await.expect(409);
        assert_eq!(list(app, listing).await, std::slice::from_ref(&first));
        let second = publish(app, &provider, listing, &free()).await;
        withdraw(app, &provider, &first).await.expect(200);
        withdraw(app, &provider, &second).await.expect(409);
        let draft = app.listing(&provider, Made::default()).await;
        let only = publish(app, &provider, draft, &free()).await;
        withdraw(app, &provider, &only).await.expect(200);
    }

    async fn of_two_racing_withdrawals_one_leaves_an_offer(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let one = publish(app, &provider, listing, &free()).await;
        let two = publish(app, &provider, listing, &free()).await;
        let (a, b) = tokio::join!(withdraw(app, &provider, &one), withdraw(app, &provider, &two));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_eq!(list(app, listing).await.len(), 1);
        assert_eq!(app.offered(listing).await, (true, false));
    }

    async fn of_eight_racing_withdrawals_of_one_offer_one_succeeds(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, Made::default()).await;
        let offer = publish(app, &provider, listing, &free()).await;
        app.advance(Duration::SECOND);
        let answers = futures::future::join_all((0..8).map(|_| withdraw(app, &provider, &offer))).await;
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1);
        assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)));
        assert_eq!(app.audited(id(&offer)).await, ["offer.publish", "offer.withdraw"]);
    }

    async fn an_offer_begins_and_ends_by_itself(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let licence = commercial(app, &provider).await;
        publish(app, &provider, listing, &free()).await;
        let sale = with(one_off(&licence, 100), "valid_from", json!("2026-11-22T10:00:00Z"));
        let sale = publish(app, &provider, listing, &with(sale, "valid_until", json!("2026-11-23T10:00:00Z"))).await;
        let sale_id = id(&sale).parse().expect("an offer id");
        for (status, paid) in [("upcoming", false), ("active", true), ("ended", false)] {
            app.run_jobs().await;
            let shown = app.get(&format!("/api/v1/offers/{}", id(&sale))).await.expect(200).json();
            assert_eq!(shown["status"], status);
            assert_eq!(app.offered(listing).await, (true, paid), "{status}");
            let now = app.clock.now();
            let for_sale = offer_for_sale(app.app.db.read(), sale_id, now).await.expect("readable");
            assert_eq!(for_sale.is_some(), paid, "{status}");
            app.advance(Duration::DAY);
        }
        assert_eq!(list(app, listing).await.len(), 1);
    }

    async fn an_end_never_leaves_a_listing_without_a_price(app) {
        let provider = app.provider().await;
        let until = |day: u8| with(free(), "valid_until", json!(format!("2026-11-{day}T10:00:00Z")));
        let listing = app.listing(&provider, Made::default()).await;
        let answer = post(app, &provider, listing, &until(25)).await.expect(422);
        assert_eq!(pointers(&answer), ["/valid_until"]);
        assert!(answer.str("/detail").contains("2026-11-25T10:00:00Z"));
        let later = publish(app, &provider, listing, &with(free(), "valid_from", json!("2026-11-25T10:00:00Z"))).await;
        post(app, &provider, listing, &until(24)).await.expect(422);
        publish(app, &provider, listing, &until(25)).await;
        app.force_state(listing, ListingState::Published).await;
        withdraw(app, &provider, &later).await.expect(409);
        let promising = app.listing(&provider, Made { answer_within_days: Some(3), ..published() }).await;
        publish(app, &provider, promising, &until(25)).await;
        app.advance(Duration::days(5));
        app.run_jobs().await;
        assert_eq!(app.offered(promising).await, (false, false));
        assert_eq!(app.offered(listing).await, (true, false));
    }

    async fn an_order_is_given_everything_it_freezes(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        let licence = commercial(app, &provider).await;
        let body = with(one_off(&licence, 12_345), "approval_required", json!(true));
        let offer = publish(app, &provider, listing, &body).await;
        let offer_id = id(&offer).parse().expect("an offer id");
        let sale = offer_for_sale(app.app.db.read(), offer_id, app.clock.now()).await.expect("readable").expect("active");
        assert_eq!((sale.listing_id, sale.provider_id), (listing, provider.id));
        assert_eq!((sale.price.minor, sale.price.currency.code()), (12_345, "DKK"));
        assert_eq!(json!(sale.licence_hash), offer["licence"]["hash"]);
        assert!(sale.approval_required);
        publish(app, &provider, listing, &free()).await;
        withdraw(app, &provider, &offer).await.expect(200);
        assert!(offer_for_sale(app.app.db.read(), offer_id, app.clock.now()).await.expect("readable").is_none());
    }

    async fn publishing_and_withdrawing_are_news_and_in_the_audit_log(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, Made::default()).await;
        let offer = publish(app, &provider, listing, &free()).await;
        app.advance(Duration::SECOND);
        withdraw(app, &provider, &offer).await.expect(200);
        let news = app.news(&listing.to_string()).await;
        let news: Vec<_> = news.into_iter().filter(|(kind, _)| kind.starts_with("offer.")).collect();
        assert_eq!(news.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["offer.published", "offer.withdrawn"]);
        assert!(news.iter().all(|(_, facts)| facts["offer_id"] == offer["id"]));
        assert_eq!(app.audited(id(&offer)).await, ["offer.publish", "offer.withdraw"]);
    }

    async fn a_failure_at_any_step_of_publishing_leaves_nothing_behind(app) {
        let provider = app.provider().await;
        let listing = app.listing(&provider, published()).await;
        // The key's first use is noted in a write of its own, which may fail without harm.
        app.as_org(&provider, "GET", "/api/v1/licences").send().await.expect(200);
        for step in 0.. {
            let before = list(app, listing).await.len();
            app.app.db.faults().arm(step);
            let answer = post(app, &provider, listing, &free()).await;
            let (passed, failed) = app.app.db.faults().disarm();
            let after = list(app, listing).await.len();
            if !failed {
                assert_eq!((answer.status, after), (201, before + 1));
                return;
            }
            let committed = passed.last().is_some_and(|name| name.ends_with("after commit"));
            assert_eq!((answer.status, after), (500, before + usize::from(committed)));
        }
    }
}
