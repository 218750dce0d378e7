//! The limit: rows of the same tables with the same indexes and triggers, written by plain sqlx as fast as a driver can.
//! For each row of a statement a line, a match, two postings and an entry; nothing is read, checked or changed.

use std::time::Instant;

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::database::{self, Database};

/// Rows of a commit.
const ROWS_PER_COMMIT: i64 = 2_000;
/// Rows that are enough to know a rate.
const ROWS_MAX: i64 = 200_000;

const LINE: &str = "id, import_id, account, key, currency, booked_on, amount_minor, is_reversal, bank_reference, end_to_end_id, \
                    counterparty_name, counterparty_account, remittance, state";
const MATCH: &str = "line_id, seq, rule, subject, bank_payout_id, amount_minor, settled_minor, created_at";
const POSTING: &str = "entry_id, seq, account_id, amount_minor, currency";
const ENTRY: &str = "id, kind, source, effective_at, posted_at, memo";

/// Rows of a statement a second, into the database that the exchange has left.
pub async fn rows_per_second(database: &Database, rows: i64) -> f64 {
    let rows = rows.min(ROWS_MAX);
    let begun = Instant::now();
    match database {
        Database::Sqlite { url } => by_insert(&mut database::sqlite(url).await, rows).await,
        Database::Postgres { .. } => by_copy(&mut database::postgres(&database.url()).await, rows).await,
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    rate
}

/// Ids like the exchange's: of lines random, of entries in the order of time.
struct Ids {
    line: Uuid,
    entry: Uuid,
    import: Uuid,
    account: Uuid,
}

fn ids() -> Ids {
    Ids { line: Uuid::new_v4(), entry: Uuid::now_v7(), import: Uuid::nil(), account: Uuid::nil() }
}

async fn by_insert(conn: &mut SqliteConnection, rows: i64) {
    let line = format!(
        "INSERT INTO bank_line ({LINE}) VALUES (?, ?, 'limit', ?, 'EUR', 0, ?, 0, ?, ?, 'Processor Payments', 'NL84TORV0000012345', 'Payout of sales, thank you for your business', 'matched')"
    );
    let part = format!("INSERT INTO bank_match ({MATCH}) VALUES (?, 1, 'trace_id', 'payout', ?, ?, ?, 0)");
    let posting = format!("INSERT INTO posting ({POSTING}) VALUES (?, ?, ?, ?, 'EUR')");
    let entry = format!("INSERT INTO ledger_entry ({ENTRY}) VALUES (?, 'bank_line', ?, 0, 0, 'trace_id')");
    for first in (0..rows).step_by(usize::try_from(ROWS_PER_COMMIT).expect("few")) {
        let mut tx = conn.begin().await.expect("begins");
        for row in first..(first + ROWS_PER_COMMIT).min(rows) {
            let (ids, key) = (ids(), format!("limit-{row}"));
            let statement = sqlx::query(sqlx::AssertSqlSafe(line.as_str()))
                .bind(ids.line)
                .bind(ids.import)
                .bind(&key)
                .bind(row)
                .bind(&key)
                .bind(&key);
            statement.execute(&mut *tx).await.expect("a line");
            let statement =
                sqlx::query(sqlx::AssertSqlSafe(part.as_str())).bind(ids.line).bind(&key).bind(row).bind(row);
            statement.execute(&mut *tx).await.expect("a match");
            for (seq, minor) in [(0, row), (1, -row)] {
                let statement = sqlx::query(sqlx::AssertSqlSafe(posting.as_str()))
                    .bind(ids.entry)
                    .bind(seq)
                    .bind(ids.account)
                    .bind(minor);
                statement.execute(&mut *tx).await.expect("a posting");
            }
            let statement =
                sqlx::query(sqlx::AssertSqlSafe(entry.as_str())).bind(ids.entry).bind(format!("limit:{key}"));
            statement.execute(&mut *tx).await.expect("an entry");
        }
        tx.commit().await.expect("commits");
    }
}

async fn by_copy(conn: &mut PgConnection, rows: i64) {
    for first in (0..rows).step_by(usize::try_from(ROWS_PER_COMMIT).expect("few")) {
        let [mut lines, mut parts, mut postings, mut entries] = [const { String::new() }; 4];
        for row in first..(first + ROWS_PER_COMMIT).min(rows) {
            use std::fmt::Write as _;
            let Ids { line, entry, import, account } = ids();
            let written = writeln!(lines, "{line}\t{import}\tlimit\tlimit-{row}\tEUR\t0\t{row}\tf\tlimit-{row}\tlimit-{row}\tProcessor Payments\tNL84TORV0000012345\tPayout of sales, thank you for your business\tmatched")
                .and_then(|()| writeln!(parts, "{line}\t1\ttrace_id\tpayout\tlimit-{row}\t{row}\t{row}\t0"))
                .and_then(|()| writeln!(postings, "{entry}\t0\t{account}\t{row}\tEUR\n{entry}\t1\t{account}\t{}\tEUR", -row))
                .and_then(|()| writeln!(entries, "{entry}\tbank_line\tlimit:limit-{row}\t0\t0\ttrace_id"));
            written.expect("written");
        }
        let mut tx = conn.begin().await.expect("begins");
        for (table, columns, text) in [
            ("bank_line", LINE, lines),
            ("bank_match", MATCH, parts),
            ("posting", POSTING, postings),
            ("ledger_entry", ENTRY, entries),
        ] {
            let mut copy = tx.copy_in_raw(&format!("COPY {table} ({columns}) FROM STDIN")).await.expect("copies");
            copy.send(text.as_bytes()).await.expect("sent");
            copy.finish().await.expect("copied");
        }
        tx.commit().await.expect("commits");
    }
}
