//! Torv in a process of its own. It serves HTTP and, told so by lines on its input, buys through the
//! service call, fills the ledger up, and verifies it; each line is answered by one line.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use torv::{
    AppState,
    auth::{Actor, Right, actor::ActingOrg},
    base::Clock,
    bootstrap,
    config::Config,
    db::idempotency::IdempotencyKey,
    trade::orders::{self, PlaceOrder},
};

use crate::{
    measure::{self, Figures, Worker},
    prefill,
    world::{self, Goods, Party, World},
};

/// Set for the process that is the server; holds the directory it lives in.
const DIR_VARIABLE: &str = "TORV_BENCH_DIR";
/// The database's address.
const URL_VARIABLE: &str = "TORV_BENCH_URL";

/// What the server may be told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Buy through the service call; answered by [`Figures`].
    Buy { buyers: usize, millis: u64, hot: bool },
    /// Fill the ledger up to so many postings, and seal all; answered by the number there are.
    Fill { postings: u64 },
    /// Verify; answered by a sentence, or the bench ends.
    Verify,
}

/// A running Torv; dropping it ends it.
pub struct Server {
    pub world: Arc<World>,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts this program again as a server on the database at `url`.
    pub fn start(dir: &Path, url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(DIR_VARIABLE, dir)
            .env(URL_VARIABLE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let world = read(&mut output);
        Self { world: Arc::new(world), child, input, output }
    }

    /// Has an order done, and waits for the answer.
    pub fn tell<T: DeserializeOwned>(&mut self, order: &Order) -> T {
        let line = serde_json::to_string(order).expect("JSON");
        writeln!(self.input.as_ref().expect("its input"), "{line}").expect("the server listens");
        read(&mut self.output)
    }
}

fn read<T: DeserializeOwned>(output: &mut Lines<BufReader<ChildStdout>>) -> T {
    let line = output.next().expect("the server did what it was told").expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn answer(value: &impl Serialize) {
    println!("{}", serde_json::to_string(value).expect("JSON"));
}

/// Runs as the server, if this process is one.
pub fn run_if_told() -> bool {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return false };
    let url = std::env::var(URL_VARIABLE).expect("an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(Path::new(&dir), &url));
    true
}

async fn serve(dir: &Path, url: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = Config::embedded(dir);
    config.database.url = url.into();
    config.payments.webhook_secrets = world::WEBHOOK_SECRET.into();
    let address = listener.local_addr().expect("an address").to_string();
    config.server.listen.clone_from(&address);
    let built = bootstrap::build(config, Clock::system()).await.expect("the exchange starts");
    let router = torv::router::router(built.app.clone());
    tokio::spawn(axum::serve(listener, router).into_future());
    let world = Arc::new(world::fill(&built.app, address).await);
    answer(&world);
    let (orders, mut told) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let _ = orders.send(line.expect("a line"));
        }
    });
    while let Some(line) = told.recv().await {
        obey(&built.app, &world, serde_json::from_str(&line).expect("an order")).await;
    }
}

async fn obey(app: &AppState, world: &Arc<World>, order: Order) {
    match order {
        Order::Buy { buyers, millis, hot } => {
            let workers = (0..buyers).map(|at| ServiceBuyer::new(app, world, at, hot)).collect();
            answer(&measure::round(workers, Duration::from_millis(millis), std::process::id()).await);
        }
        Order::Fill { postings } => answer(&prefill::fill(app, postings).await),
        Order::Verify => answer(&prefill::verify(app).await),
    }
}

/// A buyer inside the server's process.
struct ServiceBuyer {
    app: AppState,
    world: Arc<World>,
    actor: Actor,
    goods: Goods,
}

impl ServiceBuyer {
    fn new(app: &AppState, world: &Arc<World>, at: usize, hot: bool) -> Self {
        let actor = actor(&world.buyers[at % world.buyers.len()]);
        Self { app: app.clone(), world: world.clone(), actor, goods: Goods::new(at, hot) }
    }
}

fn actor(party: &Party) -> Actor {
    let organization = ActingOrg {
        id: party.id,
        may_provide: false,
        may_buy: true,
        may_operate: false,
        provider_kind: None,
        country: "DK".to_owned(),
    };
    let rights = vec![Right::Read, Right::Buy];
    Actor { account_id: None, api_key_id: Some(party.key_id), organization, rights, request_id: "bench".to_owned() }
}

impl Worker for ServiceBuyer {
    async fn work(&mut self) {
        let offer = self.goods.next(&self.world);
        let order = PlaceOrder {
            offer_id: offer.id,
            licence_hash: offer.licence_hash.clone(),
            use_case: "Warn drivers.".to_owned(),
            payment_method: Some("pm_card_visa".to_owned()),
            quantity: 1,
            coupon: None,
            purchase_order: None,
            expected_total: None,
            slice: None,
            saved_method_id: None,
        };
        let key = IdempotencyKey {
            scope: format!("orders:{}", self.actor.org_id()),
            key: world::fresh_key(),
            request_hash: offer.licence_hash.clone(),
        };
        let placed = orders::place(&self.app, &self.actor, order, key).await.expect("it is bought");
        assert!(placed.fresh);
    }
}

/// One round of the service call.
pub fn buy(server: &mut Server, buyers: usize, length: Duration, hot: bool) -> Figures {
    let millis = u64::try_from(length.as_millis()).expect("short");
    server.tell(&Order::Buy { buyers, millis, hot })
}
