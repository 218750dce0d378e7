//! `torv demo`: a square in the shape of the Copenhagen original, and the whole job walked over its
//! own HTTP API. Nothing here has a door of its own: what the demo does, any client can do.

mod actors;
mod after_sale;
mod bank;
mod build;
mod client;
mod manifest;
mod market;
mod narrate;
mod own_tools;
mod papers;
mod settle;
mod square;
mod walk;
mod world;

use std::path::{Path, PathBuf};

use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tokio_util::sync::CancellationToken;

use crate::{
    base::Clock,
    bootstrap::{self, Built},
    config::Config,
    db::{self, Steps},
    error::{Error, Result},
    serve,
};

pub use world::Processor;
use world::World;

/// What the command line asks of the demo.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on.
    pub listen: Option<String>,
    /// Where to write the hand-over for scripts.
    pub manifest: Option<PathBuf>,
    /// Stop after the walk instead of serving on.
    pub exit: bool,
    /// The folder with `square.json` and its data.
    pub square: Option<PathBuf>,
    /// Which processor takes the payments.
    pub processor: Processor,
}

/// Name of the demo's own folder inside the data directory; it alone is emptied.
const DEMO_DIR: &str = "demo";
/// The mail address by which a database is known to hold a demo and nothing else.
const OPERATOR_EMAIL: &str = "operator@demo.example";

/// Builds the square, walks the job, and serves on unless told to exit.
///
/// # Errors
/// When the address is taken, the square's folder is missing, the database holds something that is
/// no demo, or a step of the walk does not come out as it must.
pub async fn run(mut config: Config, options: Options) -> Result<()> {
    let square = square::Square::read(&square_dir(options.square.as_deref())?)?;
    if let Some(listen) = &options.listen {
        config.server.listen.clone_from(listen);
    }
    let listener = serve::listen(&config.server.listen).await?;
    let address = listener.local_addr().map_err(Error::internal)?;
    config.data_dir = config.data_dir.join(DEMO_DIR);
    clean(&config).await?;
    config.server.public_url = format!("http://{address}");
    // The job takes weeks in life: the demo begins in the past and moves its clock.
    let clock = Clock::shifted();
    let mut world = World::start(options.processor, &mut config, clock.clone()).await?;
    config.transparency.head_seconds = 0;
    // The walk's receiver of webhooks is on this machine.
    config.notify.webhook_allow_http = true;
    config.notify.webhook_allowed_networks = "127.0.0.1/32".to_owned();
    let built = bootstrap::build(config, clock).await?;
    world.meet(built.sandbox.clone());
    let (stop, app) = (CancellationToken::new(), built.app.clone());
    let server =
        tokio::spawn(serve::serve(Built { app: app.clone(), sandbox: built.sandbox.clone() }, listener, stop.clone()));
    let outcome = tour(&built, &world, &square, &format!("http://{address}"), &options).await;
    if outcome.is_err() || options.exit {
        stop.cancel();
    } else {
        let asked = stop.clone();
        tokio::spawn(async move {
            let _ = serve::stop_signal().await;
            asked.cancel();
        });
    }
    let served = server.await.map_err(Error::internal)?;
    outcome?;
    served
}

async fn tour(built: &Built, world: &World, square: &square::Square, base_url: &str, options: &Options) -> Result<()> {
    let client = client::Client::new(base_url)?;
    narrate::opening(base_url, world.today())?;
    let folder = papers::folder(&built.app.config.data_dir)?;
    let actors = actors::enrol(&built.app, &client, square).await?;
    let built_square = build::build(&client, square, &actors).await?;
    narrate::square_built(&built_square)?;
    let market = market::open(&client, square, &actors, &built_square).await?;
    narrate::line(market.in_words())?;
    let walk = walk::walk((&built.app, world, &client), (square, &actors), &built_square, &market, &folder).await?;
    if let Some(path) = &options.manifest {
        manifest::write(path, base_url, &actors, &walk)?;
    }
    narrate::closing(base_url, &actors, &walk, options.exit)
}

fn square_dir(asked: Option<&Path>) -> Result<PathBuf> {
    let beside = Path::new("demo");
    let in_source = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let candidates = asked.map_or_else(|| vec![beside.to_owned(), in_source], |asked| vec![asked.to_owned()]);
    let found = candidates.iter().find(|dir| dir.join("square.json").is_file());
    let missing =
        || Error::internal("the demo's data is not here: run it from a checkout, or name its folder with --square DIR");
    found.cloned().ok_or_else(missing)
}

/// Removes what an earlier demo left, and nothing else.
async fn clean(config: &Config) -> Result<()> {
    match std::fs::remove_dir_all(&config.data_dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::internal(format!("{}: {error}", config.data_dir.display()))),
    }
    if config.database.url.is_empty() {
        return Ok(());
    }
    let url = config.database_url();
    db::migrate(&url, Steps::UpAll).await?;
    let conn = db::connect_lazy_migrator(&url).await?;
    let organizations = entity::organization::Entity::find().count(&conn).await?;
    if organizations == 0 {
        return Ok(());
    }
    use sea_orm::{ColumnTrait as _, QueryFilter as _};
    let operator = entity::account::Entity::find().filter(entity::account::Column::Email.eq(OPERATOR_EMAIL));
    if operator.count(&conn).await? == 0 {
        return Err(Error::internal(
            "the configured database holds an exchange that is no demo; give the demo one of its own",
        ));
    }
    conn.close().await?;
    db::migrate(&url, Steps::DownAll).await?;
    db::migrate(&url, Steps::UpAll).await
}
