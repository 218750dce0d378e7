//! Everything that is measured on one database.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{
    by_hand::ByHand,
    client::HttpBuyer,
    database::Database,
    limits::{self, Form, PostgresLimit, SqliteLimit},
    measure::{self, Figures},
    server::{self, Server},
};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Http,
    HttpHot,
    Service,
    ServiceHot,
    ByHand,
    Spread,
    HotRow,
    OneStatement,
    Batch1,
    Batch16,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::HttpHot => "http, hot",
            Self::Service => "service",
            Self::ServiceHot => "service, hot",
            Self::ByHand => "by hand",
            Self::Spread => "spread rows",
            Self::HotRow => "hot row",
            Self::OneStatement => "one statement",
            Self::Batch1 => "1 a commit",
            Self::Batch16 => "16 a commit",
        }
    }
}

/// A server, and its database for everybody else.
pub struct Bench {
    pub server: Server,
    url: String,
    /// The file of the limits, on SQLite: beside the exchange's own.
    limits_url: Option<String>,
    writer: Arc<Mutex<()>>,
}

impl Bench {
    pub async fn new(server: Server, database: &Database, dir: &Path) -> Self {
        let limits_url = match database {
            Database::Sqlite { .. } => Some(format!("sqlite://{}", dir.join("limits.sqlite").display())),
            Database::Postgres { .. } => {
                limits::prepare_postgres(&database.url()).await;
                None
            }
        };
        Self { server, url: database.url(), limits_url, writer: Arc::default() }
    }

    /// What there is to measure with so many buyers.
    pub fn sides(&self, buyers: usize) -> Vec<Side> {
        let mut sides = vec![Side::Http, Side::Service, Side::ByHand];
        if self.limits_url.is_some() {
            sides.extend([Side::Batch1, Side::Batch16]);
        } else {
            sides.extend([Side::Spread, Side::HotRow, Side::OneStatement]);
        }
        if buyers == 32 {
            sides.extend([Side::HttpHot, Side::ServiceHot]);
        }
        sides
    }

    /// The median of some rounds, after a short one to warm up.
    pub async fn median(&mut self, side: Side, buyers: usize, rounds: usize, length: Duration) -> Figures {
        self.round(side, buyers, length / 3).await;
        let mut all = Vec::new();
        for _ in 0..rounds {
            all.push(self.round(side, buyers, length).await);
        }
        Figures::median(&all)
    }

    /// One round.
    pub async fn round(&mut self, side: Side, buyers: usize, length: Duration) -> Figures {
        match side {
            Side::Http => self.http(buyers, length, false).await,
            Side::HttpHot => self.http(buyers, length, true).await,
            Side::Service => server::buy(&mut self.server, buyers, length, false),
            Side::ServiceHot => server::buy(&mut self.server, buyers, length, true),
            Side::ByHand => self.by_hand(buyers, length).await,
            Side::Spread => self.limit(Form::Spread, buyers, length).await,
            Side::HotRow => self.limit(Form::HotRow, buyers, length).await,
            Side::OneStatement => self.limit(Form::OneStatement, buyers, length).await,
            // SQLite has one writer, however many wait for it.
            Side::Batch1 => {
                let worker = SqliteLimit::<1>::connect(self.limits_url.as_deref().expect("SQLite")).await;
                measure::round(vec![worker], length, std::process::id()).await
            }
            Side::Batch16 => {
                let worker = SqliteLimit::<16>::connect(self.limits_url.as_deref().expect("SQLite")).await;
                measure::round(vec![worker], length, std::process::id()).await
            }
        }
    }

    async fn http(&self, buyers: usize, length: Duration, hot: bool) -> Figures {
        let world = &self.server.world;
        let mut workers = Vec::new();
        for at in 0..buyers {
            workers.push(HttpBuyer::connect(world.clone(), at, hot).await);
        }
        measure::round(workers, length, world.pid).await
    }

    async fn by_hand(&self, buyers: usize, length: Duration) -> Figures {
        let (world, url) = (&self.server.world, &self.url);
        if self.limits_url.is_some() {
            let mut workers = Vec::new();
            for at in 0..buyers {
                workers.push(ByHand::<sqlx::SqliteConnection>::connect(url, &self.writer, world, at).await);
            }
            return measure::round(workers, length, std::process::id()).await;
        }
        let mut workers = Vec::new();
        for at in 0..buyers {
            workers.push(ByHand::<sqlx::PgConnection>::connect(url, world, at).await);
        }
        measure::round(workers, length, std::process::id()).await
    }

    async fn limit(&self, form: Form, buyers: usize, length: Duration) -> Figures {
        let mut workers = Vec::new();
        for _ in 0..buyers {
            workers.push(PostgresLimit::connect(&self.url, form).await);
        }
        measure::round(workers, length, std::process::id()).await
    }
}
