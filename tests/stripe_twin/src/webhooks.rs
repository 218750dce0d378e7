//! Webhook deliveries: queued with their event, signed when sent, and as unreliable as they are told to be.

use std::collections::HashSet;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ids::Generator, store::Object};

/// After a failed attempt the next one follows after this many seconds; after the last, Stripe gives up (three days).
const RETRY_AFTER_SECONDS: &[i64] = &[60, 300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200];

/// Where events go.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub url: String,
    /// Each signs: two while a secret is being rotated.
    pub secrets: Vec<String>,
}

/// Which time a signature carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureTime {
    /// The twin's clock.
    #[default]
    Twin,
    /// The machine's clock, for receivers that don't share the twin's.
    Wall,
}

/// How deliveries go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryPlan {
    /// Sends by itself; else only when told to.
    pub automatic: bool,
    /// Queues but never sends.
    pub stop: bool,
    /// Sends what is due in random order.
    pub shuffle: bool,
    /// How often each event is sent; 1 is once.
    pub copies: u32,
    /// Chance that a delivery is lost without a trace or a retry.
    pub drop_percent: u8,
    /// Deliveries wait up to this many seconds of the twin's clock.
    pub delay_seconds_max: u32,
    pub signature_time: SignatureTime,
}

impl Default for DeliveryPlan {
    fn default() -> Self {
        Self {
            automatic: true,
            stop: false,
            shuffle: false,
            copies: 1,
            drop_percent: 0,
            delay_seconds_max: 0,
            signature_time: SignatureTime::Twin,
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub event: String,
    pub endpoint: Endpoint,
    /// The body, the same bytes at every attempt.
    pub body: String,
    pub attempts: usize,
    /// Unix seconds of the twin's clock.
    pub due: i64,
}

/// What became of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub delivered: u64,
    pub failed_attempts: u64,
    pub dropped: u64,
    pub given_up: u64,
}

#[derive(Clone, Debug)]
pub struct Outbox {
    pub endpoints: Vec<Endpoint>,
    pub plan: DeliveryPlan,
    pub tally: Tally,
    queue: Vec<Delivery>,
    delivered: HashSet<String>,
    chance: Generator,
}

impl Outbox {
    pub fn new(endpoints: Vec<Endpoint>, plan: DeliveryPlan, seed: u64) -> Self {
        Self {
            endpoints,
            plan,
            tally: Tally::default(),
            queue: Vec::new(),
            delivered: HashSet::new(),
            chance: Generator::new(seed ^ 0x0B0C),
        }
    }

    pub fn is_delivered(&self, event: &str) -> bool {
        self.delivered.contains(event)
    }

    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Queues an event for every endpoint, with the plan's copies, losses and delays.
    pub fn queue(&mut self, event: &Object, now: i64) {
        let body = serde_json::to_string_pretty(&event.value()).unwrap_or_default();
        for endpoint in self.endpoints.clone() {
            for _ in 0..self.plan.copies {
                if self.chance.percent(self.plan.drop_percent) {
                    self.tally.dropped += 1;
                    continue;
                }
                let delay = self.chance.below(u64::from(self.plan.delay_seconds_max) + 1);
                let due = now + i64::try_from(delay).unwrap_or(0);
                let event = event.id().to_owned();
                self.queue.push(Delivery { event, endpoint: endpoint.clone(), body: body.clone(), attempts: 0, due });
            }
        }
    }

    /// Takes what is due out of the queue, in the order in which it shall be sent.
    pub fn take_due(&mut self, now: i64) -> Vec<Delivery> {
        if self.plan.stop {
            return Vec::new();
        }
        let (mut due, later): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|delivery| delivery.due <= now);
        self.queue = later;
        due.sort_by_key(|delivery| delivery.due);
        if self.plan.shuffle {
            self.chance.shuffle(&mut due);
        }
        due
    }

    /// Notes how an attempt went; after a failure the delivery waits for its next attempt.
    pub fn settle(&mut self, mut delivery: Delivery, accepted: bool, now: i64) {
        if accepted {
            self.tally.delivered += 1;
            self.delivered.insert(delivery.event);
            return;
        }
        self.tally.failed_attempts += 1;
        match RETRY_AFTER_SECONDS.get(delivery.attempts) {
            Some(seconds) => {
                delivery.attempts += 1;
                delivery.due = now + seconds;
                self.queue.push(delivery);
            }
            None => self.tally.given_up += 1,
        }
    }

    /// The receivers are at this address from now on, also for what is queued.
    pub fn move_to(&mut self, url: &str) {
        let queued = self.queue.iter_mut().map(|delivery| &mut delivery.endpoint);
        for endpoint in self.endpoints.iter_mut().chain(queued) {
            url.clone_into(&mut endpoint.url);
        }
    }

    /// Queues an event again, as the dashboard's "resend" does.
    pub fn resend(&mut self, event: &Object, now: i64) {
        let body = serde_json::to_string_pretty(&event.value()).unwrap_or_default();
        for endpoint in self.endpoints.clone() {
            let event = event.id().to_owned();
            self.queue.push(Delivery { event, endpoint, body: body.clone(), attempts: 0, due: now });
        }
    }

    pub fn status(&self) -> Value {
        json!({ "plan": self.plan, "tally": self.tally, "waiting": self.queue.len() })
    }
}

/// The header `Stripe-Signature`: the time and one HMAC-SHA256 per secret over `time.body`.
pub fn signature(secrets: &[String], timestamp: i64, body: &str) -> String {
    let signed = format!("{timestamp}.{body}");
    secrets.iter().fold(format!("t={timestamp}"), |header, secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{header},v1={hex}")
    })
}
