//! Describing, publishing, reviewing, seeing and not seeing listings.

use serde_json::{Value, json};
use torv::{
    base::Money,
    catalog::listings::{facts_for_sale, find_visible, lock_for_offer},
    error::Problem,
};

use crate::support::{Answer, Backend, Home, May, Request, TestApp, TestOrg, listing_in, listing_with, on_both};
use entity::{
    ids::ListingId,
    states::{ListingState, ProviderKind, Theme},
};

async fn patch(app: &TestApp, org: &TestOrg, id: &str, change: &Value) -> Answer {
    let path = format!("/api/v1/listings/{id}");
    let etag = app.as_org(org, "GET", &path).send().await.expect(200).header("etag").to_owned();
    app.as_org(org, "PATCH", &path).header("if-match", etag).json(change).send().await
}

on_both! {
    async fn a_draft_is_shown_as_it_was_written_and_to_its_owner_only(app) {
        let org = app.provider().await;
        let answer = app.as_org(&org, "POST", "/api/v1/listings").json(&listing_in()).send().await.expect(201);
        let id = answer.str("/id");
        let path = format!("/api/v1/listings/{id}");
        assert_eq!(answer.header("location"), path);
        assert_eq!(answer.header("etag"), "\"1\"");
        assert_eq!(answer.json()["tags"], json!(["water", "gauges"]));
        let again = app.as_org(&org, "GET", &path).send().await.expect(200);
        assert_eq!(again.json(), answer.json());
        for (key, value) in listing_in().as_object().unwrap() {
            if key != "tags" {
                assert_eq!(&again.json()[key], value, "{key}");
            }
        }
        let stranger = app.provider().await;
        app.get(&path).await.expect(404);
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        app.as_org(&stranger, "PATCH", &path).header("if-match", "\"1\"").json(&json!({})).send().await.expect(404);
        for verb in ["publish", "withdraw", "retire"] {
            app.post(&stranger, &format!("{path}/{verb}")).await.expect(404);
        }
    }

    async fn only_providers_list(app) {
        let buyer = app.buyer().await;
        app.as_org(&buyer, "POST", "/api/v1/listings").json(&listing_in()).send().await.expect(403);
        app.request("POST", "/api/v1/listings").json(&listing_in()).send().await.expect(401);
        let org = app.provider().await;
        let reader = app.key(&org, &["read"]).await;
        app.request("POST", "/api/v1/listings").bearer(reader).json(&listing_in()).send().await.expect(403);
    }

    async fn publishing_says_everything_that_is_missing(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({"use_cases": [], "answer_within_days": null})).await;
        let path = format!("/api/v1/listings/{id}/publish");
        let refusal = app.post(&org, &path).await.expect(409).str("/detail");
        for part in ["revision", "use case", "answer_within_days"] {
            assert!(refusal.contains(part), "{refusal}");
        }
        app.publish_data(&org, &id, "a.csv", "a\n1\n").await;
        patch(app, &org, &id, &json!({"use_cases": ["Plan"]})).await.expect(200);
        let refusal = app.post(&org, &path).await.expect(409).str("/detail");
        assert!(refusal.contains("answer_within_days") && !refusal.contains("use case"), "{refusal}");
        app.offer(&id, &[(None, "CC0-1.0")]).await.unwrap();
        assert_eq!(app.post(&org, &path).await.expect(200).str("/state"), "published");
        app.post(&org, &path).await.expect(409);
        app.get(&format!("/api/v1/listings/{id}")).await.expect(200);
    }

    async fn a_retired_listing_is_not_found_but_stays_readable(app) {
        let org = app.provider().await;
        let id = app.published(&org, &json!({})).await;
        let path = format!("/api/v1/listings/{id}");
        let list = async || app.get("/api/v1/listings").await.expect(200).json()["items"].as_array().unwrap().len();
        assert_eq!(list().await, 1);
        app.post(&org, &format!("{path}/retire")).await.expect(200);
        assert_eq!(list().await, 0);
        assert_eq!(app.get(&path).await.expect(200).str("/state"), "retired");
        patch(app, &org, &id, &json!({"place": "x"})).await.expect(409);
        app.post(&org, &format!("{path}/publish")).await.expect(409);
        app.as_org(&org, "POST", &format!("{path}/revisions")).json(&json!({})).send().await.expect(409);
    }

    async fn an_edit_needs_the_version_that_was_read(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let path = format!("/api/v1/listings/{id}");
        let edit = async |etag: Option<&str>, change: Value| {
            let request = app.as_org(&org, "PATCH", &path).json(&change);
            let request = if let Some(etag) = etag { request.header("if-match", etag) } else { request };
            request.send().await
        };
        edit(None, json!({"place": "Ono"})).await.expect(428);
        edit(Some("*"), json!({"place": "Ono"})).await.expect(412);
        let answer = edit(Some("\"1\""), json!({"place": "Ono", "bbox": null})).await.expect(200);
        assert_eq!(answer.header("etag"), "\"2\"");
        assert_eq!(answer.json()["place"], "Ono");
        assert!(answer.json().get("bbox").is_none());
        edit(Some("\"1\""), json!({"place": "Sabae"})).await.expect(412);
        edit(Some("\"2\""), json!({"state": "published"})).await.expect(422);
        edit(Some("\"2\""), json!({"title": null})).await.expect(422);
    }

    async fn two_edits_of_one_version_can_not_both_win(app) {
        let org = app.provider().await;
        let id = app.draft(&org, &json!({})).await;
        let edits = (0..8).map(|n| {
            let request = app.as_org(&org, "PATCH", &format!("/api/v1/listings/{id}"));
            request.header("if-match", "\"1\"").json(&json!({"place": format!("Place {n}")})).send()
        });
        let statuses: Vec<u16> = futures::future::join_all(edits).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 412)), "{statuses:?}");
    }

    async fn bad_values_are_pointed_at(app) {
        let org = app.provider().await;
        for (change, pointer) in [
            (json!({"title": {"en": "x".repeat(201)}}), "/title/en"),
            (json!({"title": {"en": "a\u{0}b"}}), "/title/en"),
            (json!({"theme": "weather"}), "/theme"),
            (json!({"bbox": [1, 2, 3]}), "/bbox"),
            (json!({"bbox": [0, 91, 1, 92]}), "/bbox"),
            (json!({"covers_from": "yesterday"}), "/covers_from"),
            (json!({"covers_from": "0001-01-01T00:00:00Z"}), "/covers_from"),
            (json!({"covers_until": "9999-01-01T00:00:00Z"}), "/covers_until"),
            (json!({"contact": {"name": "x", "phone": "1"}}), "/contact/phone"),
            (json!({"personal_data": "contains"}), "/personal_data_note"),
            (json!({"personal_data": null}), "/personal_data"),
            (json!({"tags": ["a,b"]}), "/tags/0"),
            (json!({"answer_within_days": 0}), "/answer_within_days"),
            (json!({"audience": "named", "audience_organizations": ["org_00000000000000000000000000000000"]}),
                "/audience_organizations/0"),
            (json!({"price_minor": 5}), "/price_minor"),
        ] {
            let answer = app.as_org(&org, "POST", "/api/v1/listings").json(&listing_with(&change)).send().await;
            assert_eq!(answer.status, 422, "{change}: {}", answer.text());
            assert_eq!(answer.str("/errors/0/pointer"), pointer, "{change}: {}", answer.text());
        }
        let mut body = listing_in();
        body.as_object_mut().unwrap().remove("personal_data");
        let answer = app.as_org(&org, "POST", "/api/v1/listings").json(&body).send().await.expect(422);
        assert!(answer.str("/detail").contains("personal_data"), "{}", answer.text());
        let broken = app.as_org(&org, "POST", "/api/v1/listings").header("content-type", "application/json");
        broken.body("{\"title\": ").send().await.expect(400);
        let invalid = app.as_org(&org, "POST", "/api/v1/listings").header("content-type", "application/json");
        invalid.body(vec![b'"', 0xff, b'"']).send().await.expect(400);
        let large = listing_with(&json!({"summary": {"en": "x".repeat(300_000)}}));
        app.as_org(&org, "POST", "/api/v1/listings").json(&large).send().await.expect(413);
    }

    async fn a_listing_for_named_organisations_does_not_exist_for_anyone_else(app) {
        let (org, friend, stranger) = (app.provider().await, app.buyer().await, app.buyer().await);
        let named = json!({"audience": "named", "audience_organizations": [friend.id.to_string()]});
        let id = app.published(&org, &named).await;
        let revision = {
            let view = app.as_org(&org, "GET", &format!("/api/v1/listings/{id}")).send().await.expect(200);
            assert_eq!(view.json()["audience_organizations"], json!([friend.id.to_string()]));
            view.str("/current_revision/id")
        };
        let file = app.as_org(&org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.str("/files/0/id");
        let paths = [
            format!("/api/v1/listings/{id}"), format!("/api/v1/listings/{id}/revisions"),
            format!("/api/v1/revisions/{revision}"), format!("/api/v1/files/{file}/profile"),
        ];
        for path in &paths {
            app.get(path).await.expect(404);
            app.as_org(&stranger, "GET", path).send().await.expect(404);
            app.as_org(&friend, "GET", path).send().await.expect(200);
        }
        let view = app.as_org(&friend, "GET", &paths[0]).send().await;
        assert!(view.json().get("audience_organizations").is_none(), "who else may see it is the owner's business");
        let found = async |request: Request| {
            let json = request.send().await.expect(200).json();
            (json["items"].as_array().unwrap().len(), json["facets"]["total"].as_i64().unwrap())
        };
        let path = "/api/v1/listings?facets=true";
        assert_eq!(found(app.request("GET", path)).await, (0, 0));
        assert_eq!(found(app.as_org(&stranger, "GET", path)).await, (0, 0));
        assert_eq!(found(app.as_org(&friend, "GET", path)).await, (1, 1));
        assert_eq!(found(app.as_org(&org, "GET", path)).await, (1, 1));
        let conn = app.app.db.read();
        let listing: ListingId = id.parse().unwrap();
        assert!(facts_for_sale(conn, listing, Some(stranger.id)).await.unwrap().is_none());
        let facts = facts_for_sale(conn, listing, Some(friend.id)).await.unwrap().unwrap();
        assert_eq!((facts.provider_id, facts.current_revision_number), (org.id, Some(1)));
        assert_eq!(find_visible(conn, listing, None).await.unwrap_err().problem, Problem::NotFound);
        patch(app, &org, &id, &json!({"audience": "public", "audience_organizations": []})).await.expect(200);
        app.get(&paths[0]).await.expect(200);
    }

    async fn the_law_keeps_some_themes_of_public_bodies_free(app) {
        let city = app.org("city", May { provide: Some(ProviderKind::PublicSector), buy: false, operate: false }).await;
        let id = app.draft(&city, &json!({"theme": "culture"})).await;
        app.offer(&id, &[(Some((5_000, "DKK")), "commercial")]).await.unwrap();
        let refusal = patch(app, &city, &id, &json!({"theme": "transport"})).await.expect(403);
        assert_eq!(refusal.str("/type"), "/problems/price-guard");
        assert!(refusal.str("/detail").contains("2023/138"));
        patch(app, &city, &id, &json!({"theme": "energy"})).await.expect(200);
        app.offer(&id, &[(None, "CC0-1.0")]).await.unwrap();
        patch(app, &city, &id, &json!({"theme": "transport"})).await.expect(200);
    }

    async fn offers_show_in_the_listing_and_the_last_one_can_not_vanish(app) {
        let org = app.provider().await;
        let id = app.published(&org, &json!({})).await;
        let offers = [(Some((5_000, "DKK")), "commercial"), (Some((900, "EUR")), "commercial"),
            (Some((4_000, "DKK")), "CC-BY-4.0"), (None, "CC0-1.0")];
        app.offer(&id, &offers).await.unwrap();
        let view = app.get(&format!("/api/v1/listings/{id}")).await.expect(200).json();
        assert_eq!(view["has_free_offer"], true);
        assert_eq!(view["has_paid_offer"], true);
        assert_eq!(view["licences"], json!(["CC-BY-4.0", "CC0-1.0", "commercial"]));
        let dkk = Money::new(4_000, "DKK".parse().unwrap());
        assert_eq!(view["prices_from"][0], serde_json::to_value(dkk).unwrap());
        patch(app, &org, &id, &json!({"answer_within_days": null})).await.expect(200);
        assert_eq!(app.offer(&id, &[]).await.unwrap_err().problem, Problem::Conflict);
        app.offer(&id, &[(None, "CC0-1.0")]).await.unwrap();
        patch(app, &org, &id, &json!({"answer_within_days": 3})).await.expect(200);
        app.offer(&id, &[]).await.unwrap();
        patch(app, &org, &id, &json!({"answer_within_days": null})).await.expect(409);
        patch(app, &org, &id, &json!({"use_cases": []})).await.expect(422);
    }

    async fn an_offer_locks_the_listing_of_its_owner_only(app) {
        let (org, stranger) = (app.provider().await, app.provider().await);
        let id: ListingId = app.draft(&org, &json!({})).await.parse().unwrap();
        let lock = async |provider| {
            app.app.db.write("test.lock", move |tx| async move {
                let facts = lock_for_offer(&tx, id, provider).await?;
                Ok((facts, tx))
            }).await
        };
        let facts = lock(org.id).await.unwrap();
        assert_eq!((facts.theme, facts.state), (Theme::Environment, ListingState::Draft));
        assert_eq!(lock(stranger.id).await.unwrap_err().problem, Problem::NotFound);
    }

    async fn an_owner_lists_their_own_in_all_states(app) {
        let (org, stranger) = (app.provider().await, app.provider().await);
        app.draft(&org, &json!({})).await;
        app.advance(time::Duration::seconds(1));
        let published = app.published(&org, &json!({})).await;
        let path = format!("/api/v1/organizations/{}/listings", org.id);
        let ids = async |query: &str| -> Vec<String> {
            let json = app.as_org(&org, "GET", &format!("{path}{query}")).send().await.expect(200).json();
            json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("").await.len(), 2);
        assert_eq!(ids("").await[0], published);
        assert_eq!(ids("?state=published").await, [published]);
        app.as_org(&org, "GET", &format!("{path}?state=gone")).send().await.expect(422);
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        app.get(&path).await.expect(401);
    }

    async fn every_change_is_in_the_audit_log_and_publication_is_news(app) {
        use entity::{audit_event, outbox};
        use sea_orm::{EntityTrait as _, QueryOrder as _};
        let org = app.provider().await;
        let id = app.published(&org, &json!({})).await;
        let log = audit_event::Entity::find().all(app.app.db.read()).await.unwrap();
        let actions: std::collections::BTreeSet<_> = log.iter().map(|line| line.action.as_str()).collect();
        let expected = ["listing.create", "listing.publish", "revision.open", "revision.publish", "revision.put_file"];
        assert_eq!(actions.into_iter().collect::<Vec<_>>(), expected);
        assert!(log.iter().all(|line| line.organization_id == Some(org.id)));
        let news = outbox::Entity::find().order_by_asc(outbox::Column::Seq).all(app.app.db.read()).await.unwrap();
        let news: Vec<_> = news.iter().map(|news| (news.topic.as_str(), news.kind.as_str())).collect();
        assert_eq!(news, [(id.as_str(), "revision.published"), (id.as_str(), "listing.published")]);
    }
}

/// Review is a setting, so these tests start their own exchange.
async fn with_review(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = Home::fresh(backend).await else { return };
    test(&TestApp::start(home, |config| config.trade.review_listings = true).await).await;
}

async fn the_operator_looks_first(app: &TestApp) {
    let (org, operator) = (app.provider().await, app.operator().await);
    let id = app.draft(&org, &json!({})).await;
    let path = format!("/api/v1/listings/{id}");
    app.publish_data(&org, &id, "a.csv", "a\n1\n").await;
    assert_eq!(app.post(&org, &format!("{path}/publish")).await.expect(200).str("/state"), "in_review");
    app.get(&path).await.expect(404);
    app.as_org(&operator, "GET", &path).send().await.expect(200);
    let queue = app.as_org(&operator, "GET", "/api/v1/listings-in-review").send().await.expect(200);
    assert_eq!(queue.str("/items/0/id"), id);
    app.as_org(&org, "GET", "/api/v1/listings-in-review").send().await.expect(403);
    app.post(&org, &format!("{path}/approve")).await.expect(403);
    patch(app, &org, &id, &json!({"place": "Ono"})).await.expect(409);
    it_goes_back_and_forth(app, &org, &operator, &path).await;
}

async fn it_goes_back_and_forth(app: &TestApp, org: &TestOrg, operator: &TestOrg, path: &str) {
    let return_it = app.as_org(operator, "POST", &format!("{path}/return"));
    return_it.json(&json!({"note": "Which gauges?"})).send().await.expect(204);
    let view = app.as_org(org, "GET", path).send().await.expect(200);
    assert_eq!((view.str("/state"), view.str("/review_note")), ("draft".to_owned(), "Which gauges?".to_owned()));
    app.as_org(operator, "GET", path).send().await.expect(404);
    app.post(operator, &format!("{path}/approve")).await.expect(404);
    app.post(org, &format!("{path}/publish")).await.expect(200);
    app.post(org, &format!("{path}/withdraw")).await.expect(200);
    app.post(org, &format!("{path}/publish")).await.expect(200);
    app.post(operator, &format!("{path}/approve")).await.expect(204);
    let view = app.get(path).await.expect(200).json();
    assert_eq!(view["state"], "published");
    assert!(view.get("review_note").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_looks_first_on_sqlite() {
    with_review(Backend::Sqlite, the_operator_looks_first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_looks_first_on_postgres() {
    with_review(Backend::Postgres, the_operator_looks_first).await;
}
