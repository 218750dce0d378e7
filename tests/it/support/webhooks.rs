//! Webhooks on their way: in order, shuffled, repeated, lost, forged.

use aws_lc_rs::hmac;
use entity::{inbox, sandbox_event};
use sea_orm::EntityTrait as _;
use serde_json::Value;
use torv::adapters::sandbox::{SIGNATURE_HEADER, SignedWebhook};

use super::{Answer, TestApp};

/// How webhooks arrive.
#[derive(Debug, Clone, Copy)]
pub enum Delivery {
    /// As they were sent, once each.
    InOrder,
    /// Newest first, once each.
    Reversed,
    /// In an order that follows from the seed, each this many times.
    Shuffled { seed: u64, copies: usize },
    /// As shuffled, but this many of a hundred never arrive.
    Lossy { seed: u64, percent: u64 },
}

/// Numbers that look random and follow from a seed (`SplitMix64`), so that a failure can be repeated.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = usize::try_from(self.below(last as u64 + 1)).expect("an index");
            items.swap(last, chosen);
        }
    }
}

impl TestApp {
    /// Webhooks that are due, in the order in which the events happened, each once.
    pub async fn due_webhooks(&self) -> Vec<SignedWebhook> {
        let events = sandbox_event::Entity::find().all(self.app.db.read()).await.expect("events are readable");
        let place = |webhook: &SignedWebhook| {
            let id = event_id(&webhook.body);
            events.iter().find(|event| event.id == id).map_or(i64::MAX, |event| event.seq)
        };
        let mut due = self.sandbox.due_webhooks().await.expect("webhooks are readable");
        due.sort_by_key(place);
        due.dedup_by(|a, b| a.body == b.body);
        due
    }

    /// Delivers what is due; what is lost is lost for good. Returns how many requests were made.
    pub async fn deliver_webhooks(&self, how: Delivery) -> usize {
        let due = self.due_webhooks().await;
        let mut sent: Vec<&SignedWebhook> = due.iter().collect();
        match how {
            Delivery::InOrder => {}
            Delivery::Reversed => sent.reverse(),
            Delivery::Shuffled { seed, copies } => {
                sent = sent.repeat(copies);
                Dice::new(seed).shuffle(&mut sent);
            }
            Delivery::Lossy { seed, percent } => {
                let mut dice = Dice::new(seed);
                sent.retain(|_| dice.below(100) >= percent);
                dice.shuffle(&mut sent);
            }
        }
        let count = sent.len();
        for webhook in sent {
            self.post_webhook(webhook).await.expect(204);
        }
        for webhook in &due {
            self.sandbox.settle_webhook(webhook, true).await.expect("the processor notes it");
        }
        count
    }

    /// Posts one webhook as the processor does.
    pub async fn post_webhook(&self, webhook: &SignedWebhook) -> Answer {
        self.post_signed(&webhook.body, &webhook.signature).await
    }

    /// Posts any body with any signature.
    pub async fn post_signed(&self, body: &str, signature: &str) -> Answer {
        let request = self.request("POST", "/api/v1/webhooks/sandbox").header("content-type", "application/json");
        request.header(SIGNATURE_HEADER, signature).body(body.to_owned()).send().await
    }

    /// A signature as the processor makes it, at `unix` seconds.
    pub fn sign(&self, unix: i64, body: &str) -> String {
        sign(self.app.secrets.default_webhook_secret(), unix, body)
    }

    /// Posts any body, signed now.
    pub async fn post_event(&self, body: &str) -> Answer {
        let signature = self.sign(self.clock.now().unix_timestamp(), body);
        self.post_signed(body, &signature).await
    }

    /// Everything in the inbox.
    pub async fn inbox(&self) -> Vec<inbox::Model> {
        inbox::Entity::find().all(self.app.db.read()).await.expect("the inbox is readable")
    }
}

/// A signature with any secret.
pub fn sign(secret: &str, unix: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{unix}.{body}").as_bytes());
    format!("t={unix},v1={}", torv::base::digest::hex(tag.as_ref()))
}

/// The id inside a webhook's body.
pub fn event_id(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["id"].as_str().expect("an id").to_owned()
}
