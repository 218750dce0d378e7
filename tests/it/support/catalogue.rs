//! Listings and revisions, made through the API.

use axum::body::Body;
use entity::ids::{ListingId, OfferId};
use serde_json::{Value, json};
use torv::catalog::listings::{OfferFacts, project_offers};

use super::{Answer, TestApp, TestOrg};

/// A listing that needs nothing more but a revision to be published.
pub fn listing_in() -> Value {
    json!({
        "title": {"en": "River levels in Fukui", "ja": "福井県の河川水位"},
        "summary": {"en": "Water level every ten minutes at 41 gauges."},
        "theme": "environment", "tags": ["Water", "gauges"], "place": "Fukui", "bbox": [135.4, 35.3, 136.9, 36.3],
        "update_frequency": "hourly", "contact": {"name": "Water desk", "email": "water@example.org"},
        "use_cases": ["Warn people along the river"], "personal_data": "none", "answer_within_days": 5
    })
}

/// [`listing_in`] with some values replaced.
pub fn listing_with(changes: &Value) -> Value {
    let mut body = listing_in();
    for (key, value) in changes.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

impl TestApp {
    /// A draft of `org`.
    pub async fn draft(&self, org: &TestOrg, changes: &Value) -> String {
        let answer = self.as_org(org, "POST", "/api/v1/listings").json(&listing_with(changes)).send().await;
        answer.expect(201).str("/id")
    }

    /// An open revision of a listing.
    pub async fn open_revision(&self, org: &TestOrg, listing: &str) -> String {
        let path = format!("/api/v1/listings/{listing}/revisions");
        self.as_org(org, "POST", &path).json(&json!({"note": "from a test"})).send().await.expect(201).str("/id")
    }

    /// Uploads a file.
    pub async fn upload(&self, org: &TestOrg, revision: &str, name: &str, body: impl Into<Body>) -> Answer {
        let path = format!("/api/v1/revisions/{revision}/files/{name}");
        self.as_org(org, "PUT", &path).body(body).send().await
    }

    /// A POST without a body.
    pub async fn post(&self, org: &TestOrg, path: &str) -> Answer {
        self.as_org(org, "POST", path).send().await
    }

    /// Publishes a revision with one small file.
    pub async fn publish_data(&self, org: &TestOrg, listing: &str, name: &str, body: &'static str) -> String {
        let revision = self.open_revision(org, listing).await;
        self.upload(org, &revision, name, body).await.expect(201);
        self.post(org, &format!("/api/v1/revisions/{revision}/publish")).await.expect(200);
        revision
    }

    /// A published listing of `org`, with one CSV file.
    pub async fn published(&self, org: &TestOrg, changes: &Value) -> String {
        let id = self.draft(org, changes).await;
        self.publish_data(org, &id, "levels.csv", "station,level\nAsuwa,1.25\n").await;
        self.post(org, &format!("/api/v1/listings/{id}/publish")).await.expect(200);
        id
    }

    /// Tells the catalogue about offers, as the terms wing does.
    pub async fn offer(&self, listing: &str, offers: &[(Option<(i64, &str)>, &str)]) -> torv::Result<()> {
        let (id, now): (ListingId, _) = (listing.parse().expect("an id"), self.clock.now());
        let facts: Vec<OfferFacts> = offers
            .iter()
            .map(|(price, licence)| OfferFacts {
                offer_id: OfferId::at(now),
                price: price.map(|(minor, code)| torv::base::Money::new(minor, code.parse().expect("a currency"))),
                licence_code: (*licence).to_owned(),
            })
            .collect();
        self.app
            .db
            .write("test.offers", move |tx| {
                let facts = facts.clone();
                async move {
                    project_offers(&tx, id, facts, now).await?;
                    Ok(((), tx))
                }
            })
            .await
    }
}
