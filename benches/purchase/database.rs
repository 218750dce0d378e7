//! A database of the bench's own, dropped at the end.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

const POSTGRES_VARIABLE: &str = "TORV_BENCH_POSTGRES";
const POSTGRES_DEFAULT: &str = "postgres://postgres@127.0.0.1:5432";

/// Where a server lives.
pub enum Database {
    Sqlite { url: String },
    Postgres { server: String, name: String },
}

impl Database {
    /// A fresh file in `dir`.
    pub fn sqlite(dir: &Path) -> Self {
        Self::Sqlite { url: format!("sqlite://{}", dir.join("torv.sqlite").display()) }
    }

    /// A fresh database; nothing if there is no server.
    pub async fn postgres() -> Option<Self> {
        let server = std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| POSTGRES_DEFAULT.to_owned());
        let name = format!("torv_bench_{}", std::process::id());
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.ok()?;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&mut admin).await.expect("the bench may create databases");
        Some(Self::Postgres { server, name })
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { url } => url.clone(),
            Self::Postgres { server, name } => format!("{server}/{name}"),
        }
    }

    /// Drops what was created; the file goes with its directory.
    pub async fn drop(self) {
        let Self::Postgres { server, name } = self else { return };
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.expect("the server is still there");
        let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
        sqlx::raw_sql(drop).execute(&mut admin).await.expect("it is dropped");
    }
}

/// A connection to PostgreSQL.
pub async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection")
}

/// A connection to a SQLite file, as safe against power loss as Torv's.
pub async fn sqlite(url: &str) -> SqliteConnection {
    let mut conn = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("a connection");
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; \
                    PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536";
    sqlx::raw_sql(settings).execute(&mut conn).await.expect("settings");
    conn
}
