//! What happened reaches everybody whom it concerns: as notices, and as webhooks.

mod attempts;
mod crashes;
mod fan_out;
mod mails;
mod notices;
mod processes;
mod reach;
mod secured;
mod stream;
mod webhooks;

use entity::{grant, ids::ListingId};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use torv::db::outbox::{self, News};

use crate::support::{Answer, Granted, TestApp, TestOrg, receiver::Receiver};

/// A webhook endpoint of an organisation, and who receives.
pub struct Hook {
    pub org: TestOrg,
    pub id: String,
    pub secret: String,
    pub receiver: Receiver,
}

impl TestApp {
    /// Something happens to a listing, without all that would lead to it.
    pub async fn happens(&self, kind: &'static str, listing: ListingId, payload: Value) {
        let (now, topic) = (self.clock.now(), listing.to_string());
        self.app
            .db
            .write("test.news", move |tx| {
                let news = News { topic: topic.clone(), kind, payload: payload.clone() };
                async move {
                    outbox::append(&tx, vec![news], now).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("it happens");
    }

    /// Revisions with these numbers are published, as far as anybody is told.
    pub async fn revisions(&self, listing: ListingId, numbers: impl IntoIterator<Item = i32>) {
        for number in numbers {
            self.happens("revision.published", listing, json!({"listing_id": listing, "number": number})).await;
        }
    }

    /// A webhook endpoint of `org` at a fresh receiver.
    pub async fn hook(&self, org: &TestOrg, more: &Value) -> Hook {
        let receiver = Receiver::start().await;
        let made = self.make_endpoint(org, &receiver.url, more).await.expect(201);
        Hook { org: org.clone(), id: made.str("/id"), secret: made.str("/secret"), receiver }
    }

    pub async fn make_endpoint(&self, org: &TestOrg, url: &str, more: &Value) -> Answer {
        let mut body = json!({"url": url});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.as_org(org, "POST", "/api/v1/webhook-endpoints").json(&body).send().await
    }

    /// What the owner of an endpoint sees at an address below it.
    pub async fn see_hook(&self, hook: &Hook, rest: &str) -> Answer {
        self.as_org(&hook.org, "GET", &format!("/api/v1/webhook-endpoints/{}{rest}", hook.id)).send().await
    }

    pub async fn post_to(&self, hook: &Hook, rest: &str) -> Answer {
        self.as_org(&hook.org, "POST", &format!("/api/v1/webhook-endpoints/{}{rest}", hook.id)).send().await
    }

    /// The deliveries of an endpoint in a state, the newest first.
    pub async fn deliveries(&self, hook: &Hook, state: &str) -> Vec<Value> {
        let page = self.see_hook(hook, &format!("/deliveries?limit=100&state={state}")).await.expect(200).json();
        page["items"].as_array().expect("a list").clone()
    }

    /// All notices of an organisation, the oldest first.
    pub async fn notices_of(&self, org: &TestOrg) -> Vec<Value> {
        let page = self.as_org(org, "GET", "/api/v1/notices?after=0&limit=100").send().await.expect(200).json();
        page["items"].as_array().expect("a list").clone()
    }

    /// The kinds of all notices of an organisation, the oldest first, but for the versions that are given to revisions.
    pub async fn told_kinds(&self, org: &TestOrg) -> Vec<String> {
        let told = self.notices_of(org).await;
        let kinds = told.iter().map(|notice| notice["kind"].as_str().expect("a kind").to_owned());
        kinds.filter(|kind| kind != "revision.versioned").collect()
    }

    /// Gives so many organisations that are nothing but an id a grant beside the one that is there.
    pub async fn crowd(&self, granted: &Granted, holders: i32) {
        let first = grant::Entity::find_by_id(granted.grant).one(self.app.db.read()).await.expect("readable");
        let first = first.expect("the grant");
        let now = self.clock.now();
        let rows: Vec<grant::ActiveModel> = (1..=holders)
            .map(|number| grant::ActiveModel {
                id: Set(entity::ids::GrantId::at(now)),
                organization_id: Set(entity::ids::OrgId::at(now)),
                line_no: Set(first.line_no + number),
                ..first.clone().into_active_model()
            })
            .collect();
        self.app
            .db
            .write("test.crowd", move |tx| {
                let rows = rows.clone();
                async move {
                    for some in rows.chunks(200) {
                        grant::Entity::insert_many(some.to_vec()).exec_without_returning(tx.conn()).await?;
                    }
                    Ok(((), tx))
                }
            })
            .await
            .expect("the grants are made");
    }
}
