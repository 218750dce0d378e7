//! A ledger of a given size, and the check of it afterwards.

use entity::{
    Timestamp,
    ids::{EntryId, OrderId, OrgId},
    ledger_entry, order, posting,
    states::{EntryKind, OrderState},
};
use futures::{StreamExt as _, stream};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _,
};
use torv::{
    AppState,
    base::Currency,
    ledger::{self, Account, seal, verify},
};

/// Postings of an entry.
const LINES: u64 = 3;
/// Entries of one transaction.
const BATCH: u64 = 500;

/// Adds balanced entries until there are `wanted` postings, and seals everything.
pub async fn fill(app: &AppState, wanted: u64) -> u64 {
    let there = posting::Entity::find().count(app.db.read()).await.expect("a count");
    let currency: Currency = "EUR".parse().expect("a currency");
    let provider = Account::ProviderPending(OrgId::derived("bench"));
    let accounts = [(Account::ClearingPayment, currency), (Account::Commission, currency), (provider, currency)];
    ledger::open_accounts(app, &accounts).await.expect("accounts");
    let entries = wanted.saturating_sub(there).div_ceil(LINES);
    let batches = (0..entries.div_ceil(BATCH)).map(|at| write(app, &accounts, BATCH.min(entries - at * BATCH)));
    stream::iter(batches).buffer_unordered(4).collect::<Vec<()>>().await;
    seal::seal_new_entries(app).await.expect("sealed");
    let tidy: &[&str] = match app.db.backend() {
        DbBackend::Postgres => &["ANALYZE", "CHECKPOINT"],
        _ => &["PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)"],
    };
    for statement in tidy {
        app.db.read().execute_unprepared(statement).await.expect("tidied up");
    }
    posting::Entity::find().count(app.db.read()).await.expect("a count")
}

async fn write(app: &AppState, accounts: &[(Account, Currency); 3], entries: u64) {
    let now = app.clock.now();
    let (mut heads, mut lines) = (Vec::new(), Vec::new());
    for _ in 0..entries {
        let (id, order) = (EntryId::at(now), OrderId::at(now));
        let amounts = [10_000, -2_000, -8_000];
        for (seq, ((account, currency), minor)) in (0_i32..).zip(accounts.iter().zip(amounts)) {
            lines.push(posting::ActiveModel {
                entry_id: Set(id),
                seq: Set(seq),
                account_id: Set(account.id(*currency)),
                order_id: Set(Some(order)),
                amount_minor: Set(minor),
                currency: Set(currency.code().to_owned()),
            });
        }
        heads.push(ledger_entry::ActiveModel {
            id: Set(id),
            kind: Set(EntryKind::Sale),
            source: Set(format!("bench:{id}")),
            effective_at: Set(Timestamp(now)),
            posted_at: Set(Timestamp(now)),
            memo: Set(None),
        });
    }
    let written = app.db.write("bench.prefill", move |tx| {
        let (heads, lines) = (heads.clone(), lines.clone());
        async move {
            posting::Entity::insert_many(lines).exec_without_returning(tx.conn()).await?;
            ledger_entry::Entity::insert_many(heads).exec_without_returning(tx.conn()).await?;
            Ok(((), tx))
        }
    });
    written.await.expect("entries");
}

/// Verifies the ledger, and that every order is completed with one grant and one sale.
pub async fn verify(app: &AppState) -> String {
    let report = verify::verify(app.db.read(), |_| {}).await.expect("it can be read");
    assert!(report.violations.is_empty(), "the ledger is not clean: {:#?}", report.violations);
    let conn = app.db.read();
    let orders = order::Entity::find().count(conn).await.expect("a count");
    let completed = order::Entity::find().filter(order::Column::State.eq(OrderState::Completed));
    let completed = completed.count(conn).await.expect("a count");
    let grants = entity::grant::Entity::find().count(conn).await.expect("a count");
    let sales = ledger_entry::Entity::find().filter(ledger_entry::Column::Source.like("order:%"));
    let sales = sales.count(conn).await.expect("a count");
    assert_eq!((orders, grants, sales), (completed, completed, completed), "orders, grants, sales");
    format!(
        "verified: {} entries, {} postings, {} seals, no violation; {orders} orders, each with one grant and one sale",
        report.entries, report.postings, report.seals
    )
}
