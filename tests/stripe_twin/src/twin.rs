//! Starting and holding a twin.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    clock::{self, Clock},
    error::ApiError,
    faults::{Fault, Faults},
    money::{Conversion, FeeSchedule},
    server::{self, Shared},
    socket::{ResetSwitch, ResettableListener},
    webhooks::{DeliveryPlan, Endpoint, Outbox, Tally},
    world::{Settings, World},
};

/// How long a webhook receiver may take to answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// With a wall clock, what becomes due is looked for this often.
const WALL_TICK: Duration = Duration::from_millis(500);

/// How a twin starts. The default listens on a free port with a clock fixed at 2026-11-21 12:00 UTC.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    /// The same seed and the same requests give the same ids.
    pub seed: u64,
    pub clock: Clock,
    /// Seconds that a wall clock starts behind the machine's.
    pub behind_seconds: i64,
    /// Keys that are let in; empty lets in every `sk_test_…` and `rk_test_…`.
    pub api_keys: Vec<String>,
    pub fees: FeeSchedule,
    pub conversions: Vec<Conversion>,
    /// Days until a charge's money is available.
    pub settlement_days: i64,
    /// Seconds until a payment with capture method `automatic_async` (the API's default) has its balance transaction,
    /// as in Stripe's background capture; 0 is at once.
    pub capture_delay_seconds: i64,
    pub endpoints: Vec<Endpoint>,
    pub delivery: DeliveryPlan,
    pub faults: Vec<Fault>,
    /// Where browsers reach the hosted pages, when that is not the listening address.
    pub public_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            clock: Clock::FixedAt(1_795_262_400),
            behind_seconds: 0,
            api_keys: Vec::new(),
            fees: FeeSchedule::default(),
            conversions: Vec::new(),
            settlement_days: 2,
            capture_delay_seconds: 0,
            endpoints: Vec::new(),
            delivery: DeliveryPlan::default(),
            faults: Vec::new(),
            public_url: None,
        }
    }
}

/// A running twin. Dropping it stops it.
pub struct Twin {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Twin {
    /// Binds and serves in the background.
    ///
    /// # Errors
    /// The address can't be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let Options { seed, clock, fees, conversions, settlement_days, capture_delay_seconds, .. } = options;
        let base_url = options.public_url.unwrap_or_else(|| format!("http://{address}"));
        let now = match clock {
            Clock::FixedAt(now) => now,
            Clock::Wall => clock::wall_now() - options.behind_seconds,
        };
        let settings = Settings { fees, conversions, settlement_days, capture_delay_seconds, base_url };
        let outbox = Outbox::new(options.endpoints, options.delivery, seed);
        let world = World::new(settings, seed, now, outbox, Faults::new(options.faults, seed));
        let http = reqwest::Client::builder().no_proxy().timeout(WEBHOOK_TIMEOUT).build().map_err(io::Error::other)?;
        Ok(Self::serve(listener, address, Shared::new(world, clock, -options.behind_seconds, options.api_keys, http)))
    }

    /// Another twin in the same state, at an address of its own, that goes its own way from here on: what is prepared
    /// once can be continued in many ways.
    ///
    /// # Errors
    /// No address is free.
    pub async fn fork(&self) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        Ok(Self::serve(listener, address, self.shared.fork(format!("http://{address}"))))
    }

    fn serve(listener: TcpListener, address: SocketAddr, shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let router = Router::new().fallback(server::handle).with_state(shared.clone());
        let service = router.into_make_service_with_connect_info::<ResetSwitch>();
        let serving = tokio::spawn(async move {
            let _ends_with_the_task = axum::serve(ResettableListener(listener), service).await;
        });
        let delivering = tokio::spawn(deliver_forever(shared.clone()));
        Self { address, shared, tasks: vec![serving, delivering] }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of the API, without a slash at the end: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The twin's clock, Unix seconds.
    pub fn now(&self) -> i64 {
        self.shared.world().now
    }

    /// Advances the clock: balances settle, payouts are made, sessions expire. Returns the new instant.
    pub fn advance(&self, seconds: i64) -> i64 {
        self.shared.advance(seconds)
    }

    /// Runs a command of the control API; `path` is without `/_twin/`, such as `payouts/po_1/fail`.
    ///
    /// # Errors
    /// As the control API answers.
    pub fn control(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.shared.control(path, body)
    }

    /// Every object by kind, and all balances.
    pub fn dump(&self) -> Value {
        self.shared.control("dump", &Value::Null).unwrap_or_default()
    }

    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.world().faults.replace(faults);
    }

    pub fn set_delivery(&self, plan: DeliveryPlan) {
        self.shared.world().outbox.plan = plan;
        self.shared.bell.notify_one();
    }

    pub fn set_endpoints(&self, endpoints: Vec<Endpoint>) {
        self.shared.world().outbox.endpoints = endpoints;
    }

    /// Waits until a request was executed whose answer is held back by [`crate::FaultKind::TimeoutAfterCommit`].
    pub async fn has_held_an_answer(&self) {
        self.shared.held.notified().await;
    }

    /// Sends every webhook that is due and returns what became of all so far.
    pub async fn deliver(&self) -> Tally {
        self.shared.deliver().await
    }

    /// Deliveries that are queued: due, delayed, or waiting for their next attempt.
    pub fn waiting_deliveries(&self) -> usize {
        self.shared.world().outbox.waiting()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Delivers whenever the bell rings, and with the ticks that a wall clock needs.
async fn deliver_forever(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(WALL_TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = shared.bell.notified() => {}
            _ = tick.tick() => {}
        }
        let automatic = shared.world().outbox.plan.automatic;
        if automatic {
            shared.deliver().await;
        }
    }
}
