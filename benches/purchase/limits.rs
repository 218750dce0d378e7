//! What the database can do at best: two updates and three inserts per order, without any exchange around.

use sqlx::{PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::{database, measure::Worker};

/// Accounts the updates are spread over.
const ACCOUNTS: i64 = 10_000;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS bench_account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL); \
    CREATE TABLE IF NOT EXISTS bench_order (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, amount BIGINT NOT NULL); \
    CREATE TABLE IF NOT EXISTS bench_posting (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, amount BIGINT NOT NULL); \
    CREATE TABLE IF NOT EXISTS bench_grant (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, amount BIGINT NOT NULL); \
    INSERT INTO bench_account WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < 9999) \
    SELECT id, 0 FROM n ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE bench_account SET balance = balance + $1 WHERE id = $2";
const INSERTS: [&str; 3] = [
    "INSERT INTO bench_order (id, account, amount) VALUES ($1, $2, $3)",
    "INSERT INTO bench_posting (id, account, amount) VALUES ($1, $2, $3)",
    "INSERT INTO bench_grant (id, account, amount) VALUES ($1, $2, $3)",
];
const ONE_STATEMENT: &str = "WITH buyer AS (UPDATE bench_account SET balance = balance - $4 WHERE id = $2), \
    seller AS (UPDATE bench_account SET balance = balance + $4 WHERE id = $3), \
    o AS (INSERT INTO bench_order VALUES ($1, $2, $4)), p AS (INSERT INTO bench_posting VALUES ($1, $3, $4)) \
    INSERT INTO bench_grant VALUES ($1, $2, $4)";

/// Makes the tables in a PostgreSQL database.
pub async fn prepare_postgres(url: &str) {
    // The plain form of a recursive insert differs between the two only in where ON CONFLICT binds.
    sqlx::raw_sql(TABLES).execute(&mut database::postgres(url).await).await.expect("tables");
}

/// The three forms on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Spread,
    HotRow,
    OneStatement,
}

/// Two accounts in one order, so that no two transactions wait for each other in a circle, and an id.
fn draw(hot: bool) -> (i64, i64, i64) {
    let random: Uuid = torv::auth::secrets::random_hex::<16>().expect("random").parse().expect("hexadecimal");
    let (high, low) = random.as_u64_pair();
    let account = |bits: u64| i64::try_from(bits % 9_998).expect("small") + 1;
    let (one, other) = (account(high), account(high >> 32));
    let last = if hot { ACCOUNTS - 1 } else { one.max(other) };
    let first = if one == other { 0 } else { one.min(other) };
    (first, last, i64::try_from(low >> 1).expect("63 bits"))
}

/// One connection that orders.
pub struct PostgresLimit {
    conn: PgConnection,
    form: Form,
}

impl PostgresLimit {
    pub async fn connect(url: &str, form: Form) -> Self {
        Self { conn: database::postgres(url).await, form }
    }
}

impl Worker for PostgresLimit {
    async fn work(&mut self) {
        let (first, last, id) = draw(self.form == Form::HotRow);
        if self.form == Form::OneStatement {
            let query = sqlx::query(ONE_STATEMENT).bind(id).bind(first).bind(last).bind(100_i64);
            query.execute(&mut self.conn).await.expect("ordered");
            return;
        }
        sqlx::raw_sql("BEGIN").execute(&mut self.conn).await.expect("begun");
        for (account, amount) in [(first, -100_i64), (last, 100)] {
            sqlx::query(UPDATE).bind(amount).bind(account).execute(&mut self.conn).await.expect("updated");
        }
        for insert in INSERTS {
            let query = sqlx::query(insert).bind(id).bind(first).bind(100_i64);
            query.execute(&mut self.conn).await.expect("inserted");
        }
        sqlx::raw_sql("COMMIT").execute(&mut self.conn).await.expect("committed");
    }
}

/// SQLite's one writer, with `N` orders in a commit.
pub struct SqliteLimit<const N: u32>(SqliteConnection);

impl<const N: u32> SqliteLimit<N> {
    pub async fn connect(url: &str) -> Self {
        let mut conn = database::sqlite(url).await;
        sqlx::raw_sql(&*TABLES.replace("FROM n ON CONFLICT", "FROM n WHERE true ON CONFLICT").leak())
            .execute(&mut conn)
            .await
            .expect("tables");
        Self(conn)
    }
}

impl<const N: u32> Worker for SqliteLimit<N> {
    const AT_ONCE: u32 = N;

    async fn work(&mut self) {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.0).await.expect("begun");
        for _ in 0..N {
            let (first, last, id) = draw(false);
            for (account, amount) in [(first, -100_i64), (last, 100)] {
                sqlx::query(UPDATE).bind(amount).bind(account).execute(&mut self.0).await.expect("updated");
            }
            for insert in INSERTS {
                let query = sqlx::query(insert).bind(id).bind(first).bind(100_i64);
                query.execute(&mut self.0).await.expect("inserted");
            }
        }
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.expect("committed");
    }
}
