//! Everything the twin knows, behind one lock. A request changes it as a whole or not at all.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    balance::Balances,
    error::ApiError,
    faults::Faults,
    idempotency::Keys,
    ids::Generator,
    money::{Conversion, FeeSchedule},
    params::Params,
    payment_methods::Behaviour,
    schedule::{Schedule, Task},
    store::{Object, Store},
    webhooks::Outbox,
};

/// The account that owns the API key.
pub const PLATFORM: &str = "acct_1TwinPlatform0000";
pub const SECONDS_PER_DAY: i64 = 86_400;

/// What stays the same while the twin runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub fees: FeeSchedule,
    /// Presentment currencies that settle as another one; every other settles as itself.
    pub conversions: Vec<Conversion>,
    /// Days until a charge's money is available.
    pub settlement_days: i64,
    /// Seconds until a charge that is captured in the background has its balance transaction; 0 is at once.
    pub capture_delay_seconds: i64,
    /// Where the hosted pages are, without a slash at the end.
    pub base_url: String,
}

/// The request that caused a change; empty for what happens by itself.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    pub request_id: Option<String>,
    pub idempotency_key: Option<String>,
}

/// What was asked of the API and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    pub request_id: String,
    pub method: String,
    pub path: String,
    pub account: String,
    pub params: Value,
    pub idempotency_key: Option<String>,
    /// What the API decided; a fault may have kept the caller from hearing it.
    pub status: u16,
    pub replayed: bool,
    pub fault: Option<crate::faults::FaultKind>,
}

/// One authenticated API request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The account acted for: the platform, or the one named by `Stripe-Account`.
    pub account: String,
    pub params: Params,
}

#[derive(Clone, Debug)]
pub struct World {
    pub settings: Settings,
    /// Unix seconds.
    pub now: i64,
    pub ids: Generator,
    pub store: Store,
    pub balances: Balances,
    /// What automatic payouts leave behind, in minor units, by account and currency.
    pub minimum_balances: BTreeMap<(String, String), i64>,
    pub schedule: Schedule,
    pub outbox: Outbox,
    pub keys: Keys,
    pub faults: Faults,
    pub cause: Cause,
    /// How a payment method behaves when it is charged, by its id.
    pub behaviours: HashMap<String, Behaviour>,
    /// Links of hosted onboarding that were not used yet: token to account and what it leads to.
    pub onboarding_links: HashMap<String, crate::accounts::OnboardingLink>,
    /// What was transferred out of a charge, in its settlement currency, by charge.
    pub transferred: HashMap<String, i64>,
    /// Ids of a transfer's reversals, oldest first, by transfer.
    pub reversals_of: HashMap<String, Vec<String>>,
    /// What a Checkout Session's payment intent will need, and its line items, by session.
    pub session_orders: HashMap<String, Object>,
    /// Names requests; apart from the other ids, so that reading more does not rename anything.
    pub request_ids: Generator,
    pub requests: Vec<RequestRecord>,
    /// Failure code of the next automatic payout, when it shall fail.
    pub next_payout_failure: Option<String>,
}

impl World {
    pub fn new(settings: Settings, seed: u64, now: i64, outbox: Outbox, faults: Faults) -> Self {
        let mut schedule = Schedule::default();
        schedule.plan(next_midnight(now), Task::DailyPayouts);
        Self {
            settings,
            now,
            ids: Generator::new(seed),
            store: Store::default(),
            balances: Balances::default(),
            minimum_balances: BTreeMap::new(),
            schedule,
            outbox,
            keys: Keys::default(),
            faults,
            cause: Cause::default(),
            behaviours: HashMap::new(),
            onboarding_links: HashMap::new(),
            transferred: HashMap::new(),
            reversals_of: HashMap::new(),
            session_orders: HashMap::new(),
            request_ids: Generator::new(seed ^ 0x5E0),
            requests: Vec::new(),
            next_payout_failure: None,
        }
    }

    pub fn fresh_id(&mut self, prefix: &str) -> String {
        self.ids.id(prefix)
    }

    /// Appends an event with the object as it is now and queues its deliveries.
    pub fn emit(&mut self, kind: &str, id: &str) {
        let Some(object) = self.store.any(id).map(Object::value) else { return };
        let owner = self.store.owner(id).unwrap_or(PLATFORM).to_owned();
        // An account's own event belongs to that account: the platform hears of it as a Connect event.
        let owner = if object["object"] == "account" { id.to_owned() } else { owner };
        self.emit_snapshot(&owner, kind, &object);
    }

    /// As [`World::emit`], for something that is not an object of its own, such as the balance.
    pub fn emit_snapshot(&mut self, owner: &str, kind: &str, object: &Value) {
        let id = self.fresh_id("evt");
        let mut event = Object::from(json!({
            "id": id,
            "object": "event",
            "api_version": crate::API_VERSION,
            "created": self.now,
            "data": { "object": object },
            "livemode": false,
            "pending_webhooks": self.outbox.endpoints.len(),
            "request": { "id": self.cause.request_id, "idempotency_key": self.cause.idempotency_key },
            "type": kind,
        }));
        if owner != PLATFORM {
            event.set("account", owner);
        }
        self.outbox.queue(&event, self.now);
        self.store.add(owner, event);
    }

    /// Whether the account exists: the platform or a connected one.
    pub fn knows_account(&self, account: &str) -> bool {
        account == PLATFORM || self.store.find(PLATFORM, "account", account).is_ok()
    }

    /// Settles an amount: the settlement currency, the amount in it, and the rate when it is another currency.
    pub fn settled(&self, amount: i64, currency: &str) -> (i64, String, Value) {
        match self.settings.conversions.iter().find(|conversion| conversion.from == currency) {
            Some(conversion) => {
                let rate: Value = crate::decimal_millionths(conversion.rate_millionths);
                (conversion.apply(amount), conversion.to.clone(), rate)
            }
            None => (amount, currency.to_owned(), Value::Null),
        }
    }

    /// The metadata of an object merged with what a request gives.
    ///
    /// # Errors
    /// As [`Params::metadata_over`].
    pub fn update_metadata(&mut self, call: &Call, object: &Object) -> Result<Object, ApiError> {
        let metadata = call.params.metadata_over("metadata", object.get("metadata"))?;
        Ok(self.store.edit(object.id(), |object| object.set("metadata", metadata)))
    }
}

/// The first UTC midnight after an instant.
pub fn next_midnight(now: i64) -> i64 {
    (now.div_euclid(SECONDS_PER_DAY) + 1) * SECONDS_PER_DAY
}
