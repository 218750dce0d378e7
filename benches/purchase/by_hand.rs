//! The statements of one purchase written out: what the service call would cost without the exchange's code.
//!
//! They are those of a purchase that has the exchange for itself. With several buyers the exchange may
//! share statements between them; by hand everybody issues their own.

use std::sync::Arc;

use entity::ids::{AuditId, EntryId, EventId, GrantId, OrderId, PaymentId};
use serde_json::json;
use sqlx::{PgConnection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use torv::{base::Clock, ledger::Account};

use crate::{
    database,
    measure::Worker,
    world::{Goods, Offer, Party, World, fresh_key},
};

const OFFER: &str = "SELECT * FROM offer WHERE id = $1 AND state = 'active' AND (valid_until IS NULL OR valid_until > $2) \
    AND valid_from <= $2 LIMIT 1";
const LISTING: &str = "SELECT * FROM listing WHERE id = $1 AND ((state IN ('published', 'retired') AND (audience = 'public' \
    OR organization_id = $2 OR id IN (SELECT listing_id FROM listing_audience WHERE organization_id = $2))) \
    OR organization_id = $2) LIMIT 1";
const REVISION: &str =
    "SELECT * FROM revision WHERE id = (SELECT current_revision_id FROM listing WHERE id = $1) LIMIT 1";
const FEES: &str = "SELECT * FROM fee_rule WHERE from_at <= $1 AND (organization_id IS NULL OR organization_id = $2) \
    AND (listing_id IS NULL OR listing_id = $3) AND (offer_id IS NULL OR offer_id = $4)";
const CLAIM: &str = "INSERT INTO idempotency (scope, key, request_hash, resource, created_at) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const ORDER: &str = "INSERT INTO orders (id, buyer_id, state, use_case, currency, total_minor, created_at, expires_at) \
    VALUES ($1, $2, 'awaiting_payment', 'Warn drivers.', 'EUR', $3, $4, $5)";
const LINE: &str = "INSERT INTO order_line (order_id, line_no, listing_id, offer_id, provider_id, offer_kind, price_minor, \
    currency, fee_bps, operator_minor, provider_minor, licence_hash, term_months, coverage, revision_number, hold_days) \
    VALUES ($1, 1, $2, $3, $4, 'subscription', $5, 'EUR', 2000, $6, $7, $8, 12, 'while_active', 1, 7)";
const PAYMENT: &str = "INSERT INTO payment (id, order_id, attempt, state, processor, amount_minor, currency, created_at) \
    VALUES ($1, $2, 1, 'created', 'sandbox', $3, 'EUR', $4)";
const AUDIT: &str = "INSERT INTO audit_event (id, at, api_key_id, organization_id, action, resource, request_id, detail) \
    VALUES ($1, $2, $3, $4, 'order.place', $5, 'bench', $6)";
const CHARGE: &str = "INSERT INTO sandbox_object (id, kind, parent, state, amount_minor, fee_minor, currency, available_at, \
    body, created_at) VALUES ($1, 'charge', NULL, 'captured', $3, 0, 'EUR', $4, $5, $4), \
    ($2, 'line', $1, 'charge', $3, 150, 'EUR', $4, $5, $4) ON CONFLICT DO NOTHING";
const WEBHOOK: &str = "INSERT INTO sandbox_event (id, body, deliver_at, attempts) VALUES ($1, $2, $3, 0)";
const PAID: &str = "UPDATE payment SET state = 'succeeded', processor_ref = $2, failure_code = NULL, failure_text = NULL, \
    settled_at = $3 WHERE id = $1 AND state IN ('created', 'authorised', 'processing', 'failed')";
const COMPLETED: &str =
    "UPDATE orders SET state = 'completed', closed_at = $2 WHERE id = $1 AND state = 'awaiting_payment'";
const POSTINGS: &str = "INSERT INTO posting (entry_id, seq, account_id, order_id, amount_minor, currency) VALUES \
    ($1, 0, $3, $2, $6, 'EUR'), ($1, 1, $4, $2, -$7, 'EUR'), ($1, 2, $5, $2, -$8, 'EUR')";
const ENTRY: &str =
    "INSERT INTO ledger_entry (id, kind, source, effective_at, posted_at) VALUES ($1, 'sale', $2, $3, $3)";
const GRANT: &str = "INSERT INTO grants (id, order_id, line_no, listing_id, organization_id, provider_id, licence_hash, \
    coverage, through_revision, state, starts_at, ends_at) \
    VALUES ($1, $2, 1, $3, $4, $5, $6, 'while_active', 1, 'active', $7, $8)";
const NEWS: &str =
    "INSERT INTO outbox (id, topic, kind, payload, created_at) VALUES ($1, $2, 'order.completed', $3, $4)";

/// A connection that buys; on SQLite it queues for the one writer.
pub struct ByHand<C> {
    conn: C,
    writer: Option<Arc<Mutex<()>>>,
    world: Arc<World>,
    buyer: Party,
    goods: Goods,
}

impl<C> ByHand<C> {
    fn new(conn: C, writer: Option<Arc<Mutex<()>>>, world: &Arc<World>, at: usize) -> Self {
        let buyer = world.buyers[at % world.buyers.len()].clone();
        Self { conn, writer, world: world.clone(), buyer, goods: Goods::new(at, false) }
    }
}

impl ByHand<PgConnection> {
    pub async fn connect(url: &str, world: &Arc<World>, at: usize) -> Self {
        Self::new(database::postgres(url).await, None, world, at)
    }
}

impl ByHand<SqliteConnection> {
    pub async fn connect(url: &str, writer: &Arc<Mutex<()>>, world: &Arc<World>, at: usize) -> Self {
        Self::new(database::sqlite(url).await, Some(writer.clone()), world, at)
    }
}

async fn turn(writer: Option<&Arc<Mutex<()>>>) -> Option<MutexGuard<'_, ()>> {
    match writer {
        Some(writer) => Some(writer.lock().await),
        None => None,
    }
}

/// Everything one purchase writes, but the offer and the buyer.
struct Ids {
    order: OrderId,
    payment: PaymentId,
    entry: EntryId,
    grant: GrantId,
    now: i64,
}

fn ids() -> Ids {
    let now = Clock::system().now();
    Ids {
        order: OrderId::at(now),
        payment: PaymentId::at(now),
        entry: EntryId::at(now),
        grant: GrantId::at(now),
        now: entity::Timestamp(now).micros(),
    }
}

macro_rules! run {
    ($conn:expr, $sql:expr $(, $value:expr)*) => {
        sqlx::query($sql)$(.bind($value))*.execute(&mut *$conn).await.expect("it runs")
    };
}

macro_rules! read {
    ($conn:expr, $sql:expr $(, $value:expr)*) => {
        sqlx::query($sql)$(.bind($value))*.fetch_all(&mut *$conn).await.expect("it runs")
    };
}

/// The same for both drivers, whose types differ.
macro_rules! worker {
    ($connection:ty, $begin:literal) => {
        impl Worker for ByHand<$connection> {
            async fn work(&mut self) {
                let (offer, ids, buyer) = (self.goods.next(&self.world), ids(), &self.buyer);
                let (conn, writer) = (&mut self.conn, self.writer.as_ref());
                let found = read!(conn, OFFER, offer.id.0, ids.now).len()
                    + read!(conn, LISTING, offer.listing_id.0, buyer.id.0).len()
                    + read!(conn, REVISION, offer.listing_id.0).len();
                assert_eq!(found, 3);
                read!(conn, FEES, ids.now, offer.provider_id.0, offer.listing_id.0, offer.id.0);
                let operator = offer.price_minor / 5;
                let provider = offer.price_minor - operator;

                let guard = turn(writer).await;
                sqlx::raw_sql($begin).execute(&mut *conn).await.expect("begun");
                let scope = format!("orders:{}", buyer.id);
                run!(conn, CLAIM, scope, fresh_key(), &offer.licence_hash, ids.order.to_string(), ids.now);
                run!(conn, ORDER, ids.order.0, buyer.id.0, offer.price_minor, ids.now, ids.now + 172_800_000_000_i64);
                run!(
                    conn, LINE, ids.order.0, offer.listing_id.0, offer.id.0, offer.provider_id.0, offer.price_minor,
                    operator, provider, &offer.licence_hash
                );
                run!(conn, PAYMENT, ids.payment.0, ids.order.0, offer.price_minor, ids.now);
                let audit = AuditId::at(Clock::system().now());
                let detail = json!({"offer_id": offer.id});
                run!(conn, AUDIT, audit.0, ids.now, buyer.key_id.0, buyer.id.0, ids.order.to_string(), detail);
                sqlx::raw_sql("COMMIT").execute(&mut *conn).await.expect("committed");
                drop(guard);

                let charge = format!("ch_{}", ids.payment.0.simple());
                let guard = turn(writer).await;
                sqlx::raw_sql($begin).execute(&mut *conn).await.expect("begun");
                let line = format!("txn_{}", ids.payment.0.simple());
                let body = json!({"payment_id": ids.payment, "method": "pm_card_visa", "manual": false});
                run!(conn, CHARGE, &charge, line, offer.price_minor, ids.now, body);
                run!(conn, WEBHOOK, format!("evt_{}", ids.payment.0.simple()), event(&charge, &ids, offer), ids.now);
                sqlx::raw_sql("COMMIT").execute(&mut *conn).await.expect("committed");
                drop(guard);

                let guard = turn(writer).await;
                sqlx::raw_sql($begin).execute(&mut *conn).await.expect("begun");
                run!(conn, PAID, ids.payment.0, &charge, ids.now);
                run!(conn, COMPLETED, ids.order.0, ids.now);
                let eur = "EUR".parse().expect("a currency");
                let account = |account: Account| account.id(eur).0;
                run!(
                    conn, POSTINGS, ids.entry.0, ids.order.0, account(Account::ClearingPayment),
                    account(Account::ProviderPending(offer.provider_id)), account(Account::Commission),
                    offer.price_minor, provider, operator
                );
                run!(conn, ENTRY, ids.entry.0, format!("order:{}:sale", ids.order), ids.now);
                run!(
                    conn, GRANT, ids.grant.0, ids.order.0, offer.listing_id.0, buyer.id.0, offer.provider_id.0,
                    &offer.licence_hash, ids.now, ids.now + 31_536_000_000_000_i64
                );
                let news = EventId::at(Clock::system().now());
                run!(conn, NEWS, news.0, offer.listing_id.to_string(), announcement(&ids, buyer, offer), ids.now);
                sqlx::raw_sql("COMMIT").execute(&mut *conn).await.expect("committed");
                drop(guard);
            }
        }
    };
}

worker!(PgConnection, "BEGIN");
worker!(SqliteConnection, "BEGIN IMMEDIATE");

fn event(charge: &str, ids: &Ids, offer: &Offer) -> serde_json::Value {
    json!({"type": "charge.captured", "data": {"id": charge, "payment_id": ids.payment, "state": "captured",
        "amount": {"minor": offer.price_minor, "currency": "EUR"}}})
}

fn announcement(ids: &Ids, buyer: &Party, offer: &Offer) -> serde_json::Value {
    json!({"order_id": ids.order, "grant_id": ids.grant, "buyer_id": buyer.id, "provider_id": offer.provider_id,
        "total_minor": offer.price_minor, "currency": "EUR"})
}
