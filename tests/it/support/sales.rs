//! Paid orders as trade leaves them, made straight in the database and charged at the sandbox, so that
//! settlement can be tested without trade.

use entity::{
    Timestamp, grant,
    ids::{GrantId, LicenceId, ListingId, OfferId, OrderId, PaymentId},
    licence, licence_document, listing, offer, order, order_line, payment,
    states::{
        Audience, Coverage, EntryKind, GrantState, LicenceKind, ListingKind, ListingState, OfferKind, OfferState,
        OrderState, PaymentState, PersonalData, Theme, UpdateFrequency,
    },
};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use serde_json::json;
use time::Duration;
use torv::{
    base::{Money, digest},
    db::Tx,
    ledger::{self, Account, Line, NewEntry},
    ports::payments::{Capture, ChargeRequest},
};

use super::{TestApp, TestOrg};

/// The operator's share of every test sale, in basis points.
pub const OPERATOR_BPS: u32 = 2_000;
/// Days a share is held after every test sale.
pub const HOLD_DAYS: i32 = 7;

/// A sale that was made.
#[derive(Debug, Clone, Copy)]
pub struct Sold {
    pub order: OrderId,
    pub payment: PaymentId,
    pub gross: Money,
    pub share: Money,
}

/// What is on a provider's shelf: ids that follow from the provider, so that it is stocked once.
struct Shelf {
    listing: ListingId,
    offer: OfferId,
    licence: LicenceId,
    document: String,
    hash: String,
}

impl Shelf {
    fn of(provider: &TestOrg) -> Self {
        let words = provider.id.to_string();
        let document = json!({ "licence": words }).to_string();
        let hash = digest::sha256_hex(document.as_bytes());
        let (listing, offer) = (ListingId::derived(&words), OfferId::derived(&words));
        Self { listing, offer, licence: LicenceId::derived(&words), document, hash }
    }
}

/// Money in a currency by its code.
pub fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, code.parse().expect("a currency of the table"))
}

impl TestApp {
    /// A sale of `gross` by `provider` to `buyer`: charged, booked, granted. The charge's line waits at
    /// the processor to be imported.
    pub async fn sell(&self, provider: &TestOrg, buyer: &TestOrg, gross: Money) -> Sold {
        let sold = self.sell_uncharged(provider, buyer, gross).await;
        self.charge(&sold).await;
        sold
    }

    /// Charges a sale at the sandbox.
    pub async fn charge(&self, sold: &Sold) {
        let request = ChargeRequest {
            payment_id: sold.payment,
            buyer: entity::ids::OrgId::derived("buyer"),
            amount: sold.gross,
            method: "pm_card_visa".to_owned(),
            capture: Capture::Automatic,
            description: "test".to_owned(),
            group: sold.order.to_string(),
            customer_ref: None,
            off_session: false,
            return_url: None,
        };
        self.app.payments.charge(&request).await.expect("the sandbox charges");
    }

    /// As [`TestApp::sell`], but the processor knows nothing of it.
    pub async fn sell_uncharged(&self, provider: &TestOrg, buyer: &TestOrg, gross: Money) -> Sold {
        let now = self.clock.now();
        let (order, payment) = (OrderId::at(now), PaymentId::at(now));
        let split = gross.split(OPERATOR_BPS).expect("in range");
        let pending = Account::ProviderPending(provider.id);
        let accounts = [Account::ClearingPayment, Account::Commission, pending.clone()];
        ledger::open_accounts(&self.app, &accounts.map(|account| (account, gross.currency))).await.expect("opens");
        let entry = NewEntry {
            kind: EntryKind::Sale,
            source: format!("order:{order}:sale"),
            effective_at: now,
            memo: None,
            lines: vec![
                Line::debit(Account::ClearingPayment, gross).of(order),
                Line::credit(pending, split.provider).of(order),
                Line::credit(Account::Commission, split.operator).of(order),
            ],
        };
        let sold = Sold { order, payment, gross, share: split.provider };
        let (provider, buyer) = (provider.clone(), buyer.clone());
        self.write(async move |tx: &Tx| {
            stock(tx, &provider, gross, Timestamp(now)).await;
            insert(tx, order_row(&sold, &buyer, Timestamp(now))).await;
            insert(tx, line_row(&sold, &provider)).await;
            insert(tx, payment_row(&sold, Timestamp(now))).await;
            insert(tx, grant_row(&sold, &provider, &buyer, Timestamp(now))).await;
            if !gross.is_zero() {
                ledger::post(tx, vec![entry], now).await.expect("books");
            }
        })
        .await;
        sold
    }

    /// Sales at given times that the processor knows nothing of, many in one transaction; their shares are held
    /// for ten years.
    pub async fn sell_many_uncharged(
        &self,
        provider: &TestOrg,
        buyer: &TestOrg,
        sales: &[(Money, time::OffsetDateTime)],
    ) -> Vec<Sold> {
        let mut all = Vec::with_capacity(sales.len());
        for chunk in sales.chunks(200) {
            let sold: Vec<(Sold, time::OffsetDateTime)> = chunk
                .iter()
                .map(|(gross, at)| {
                    let share = gross.split(OPERATOR_BPS).expect("in range").provider;
                    (Sold { order: OrderId::at(*at), payment: PaymentId::at(*at), gross: *gross, share }, *at)
                })
                .collect();
            let accounts = [Account::ClearingPayment, Account::Commission, Account::ProviderPending(provider.id)];
            let wanted = accounts.map(|account| (account, chunk[0].0.currency));
            ledger::open_accounts(&self.app, &wanted).await.expect("opens");
            all.extend(sold.iter().map(|(sold, _)| *sold));
            let (provider, buyer) = (provider.clone(), buyer.clone());
            let now = self.clock.now();
            self.write(async move |tx: &Tx| insert_sales(tx, &provider, &buyer, &sold, now).await).await;
        }
        all
    }

    /// Runs `body` in a transaction of its own.
    pub async fn write<T: Send + 'static>(&self, body: impl AsyncFnOnce(&Tx) -> T) -> T {
        // `Db::write` may repeat its body, which a test's body need not be able to: hand the work over
        // piece by piece, and let the transaction end when the piece is done.
        let (give, take) = tokio::sync::oneshot::channel();
        let (done, wait) = tokio::sync::oneshot::channel::<()>();
        let slot = std::sync::Arc::new(std::sync::Mutex::new(Some((give, wait))));
        let running = self.app.db.write("test.write", move |tx| {
            let (give, wait) = slot.lock().expect("not poisoned").take().expect("a test's write runs once");
            async move {
                let (back, returned) = tokio::sync::oneshot::channel();
                give.send((tx, back)).ok().expect("the test waits for it");
                let tx = returned.await.expect("the test gives the transaction back");
                wait.await.ok();
                Ok(((), tx))
            }
        });
        let work = async {
            let (tx, back): (Tx, tokio::sync::oneshot::Sender<Tx>) = take.await.expect("the transaction begins");
            let value = body(&tx).await;
            back.send(tx).ok().expect("the transaction is waited for");
            done.send(()).ok();
            value
        };
        let (written, value) = tokio::join!(running, work);
        written.expect("commits");
        value
    }
}

async fn insert<A>(tx: &Tx, row: A)
where
    A: sea_orm::ActiveModelTrait + Send,
{
    A::Entity::insert(row).exec_without_returning(tx.conn()).await.expect("inserts");
}

async fn insert_all<A>(tx: &Tx, rows: Vec<A>)
where
    A: sea_orm::ActiveModelTrait + Send,
{
    A::Entity::insert_many(rows).exec_without_returning(tx.conn()).await.expect("inserts");
}

async fn insert_sales(
    tx: &Tx,
    provider: &TestOrg,
    buyer: &TestOrg,
    sold: &[(Sold, time::OffsetDateTime)],
    now: time::OffsetDateTime,
) {
    let Some((first, at)) = sold.first() else { return };
    stock(tx, provider, first.gross, Timestamp(*at)).await;
    let rows = |row: &dyn Fn(&Sold, Timestamp) -> order::ActiveModel| {
        sold.iter().map(|(sold, at)| row(sold, Timestamp(*at))).collect::<Vec<_>>()
    };
    insert_all(tx, rows(&|sold, at| order_row(sold, buyer, at))).await;
    let held = |sold: &Sold| order_line::ActiveModel { hold_days: Set(3_650), ..line_row(sold, provider) };
    insert_all(tx, sold.iter().map(|(sold, _)| held(sold)).collect()).await;
    insert_all(tx, sold.iter().map(|(sold, at)| payment_row(sold, Timestamp(*at))).collect()).await;
    insert_all(tx, sold.iter().map(|(sold, at)| grant_row(sold, provider, buyer, Timestamp(*at))).collect()).await;
    let entries = sold.iter().map(|(sold, at)| NewEntry {
        kind: EntryKind::Sale,
        source: format!("order:{}:sale", sold.order),
        effective_at: *at,
        memo: None,
        lines: vec![
            Line::debit(Account::ClearingPayment, sold.gross).of(sold.order),
            Line::credit(Account::ProviderPending(provider.id), sold.share).of(sold.order),
            Line::credit(Account::Commission, sold.gross.checked_sub(sold.share).expect("fits")).of(sold.order),
        ],
    });
    ledger::post(tx, entries.collect(), now).await.expect("books");
}

async fn insert_once<A>(tx: &Tx, row: A)
where
    A: sea_orm::ActiveModelTrait + Send,
{
    A::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await
        .expect("inserts");
}

async fn stock(tx: &Tx, provider: &TestOrg, price: Money, now: Timestamp) {
    let shelf = Shelf::of(provider);
    insert_once(
        tx,
        licence_document::ActiveModel {
            hash: Set(shelf.hash.clone()),
            document: Set(shelf.document.clone()),
            created_at: Set(now),
        },
    )
    .await;
    insert_once(
        tx,
        licence::ActiveModel {
            id: Set(shelf.licence),
            organization_id: Set(Some(provider.id)),
            kind: Set(LicenceKind::Commercial),
            code: Set(None),
            title: Set(json!({"en": "Test terms"})),
            hash: Set(shelf.hash.clone()),
            created_at: Set(now),
            archived_at: Set(None),
        },
    )
    .await;
    insert_once(tx, listing_row(&shelf, provider, now)).await;
    insert_once(tx, offer_row(&shelf, provider, price, now)).await;
}

fn offer_row(shelf: &Shelf, provider: &TestOrg, price: Money, now: Timestamp) -> offer::ActiveModel {
    offer::ActiveModel {
        id: Set(shelf.offer),
        listing_id: Set(shelf.listing),
        organization_id: Set(provider.id),
        kind: Set(OfferKind::OneOff),
        state: Set(OfferState::Active),
        price_minor: Set(price.minor),
        currency: Set(price.currency.code().to_owned()),
        term_months: Set(None),
        licence_id: Set(shelf.licence),
        licence_hash: Set(shelf.hash.clone()),
        approval_required: Set(false),
        coverage: Set(Coverage::Snapshot),
        valid_from: Set(now),
        valid_until: Set(None),
        created_at: Set(now),
        withdrawn_at: Set(None),
        ..Default::default()
    }
}

fn listing_row(shelf: &Shelf, provider: &TestOrg, now: Timestamp) -> listing::ActiveModel {
    listing::ActiveModel {
        id: Set(shelf.listing),
        organization_id: Set(provider.id),
        kind: Set(ListingKind::Dataset),
        state: Set(ListingState::Published),
        version: Set(1),
        title: Set(json!({"en": "Test data"})),
        summary: Set(json!({"en": "Data for a test"})),
        theme: Set(Theme::Transport),
        tags: Set(json!([])),
        update_frequency: Set(UpdateFrequency::Never),
        contact: Set(json!({})),
        use_cases: Set(json!([])),
        personal_data: Set(PersonalData::None),
        audience: Set(Audience::Public),
        search_text: Set("test data".to_owned()),
        has_free_offer: Set(false),
        has_paid_offer: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
        published_at: Set(Some(now)),
        ..Default::default()
    }
}

fn order_row(sold: &Sold, buyer: &TestOrg, now: Timestamp) -> order::ActiveModel {
    order::ActiveModel {
        id: Set(sold.order),
        buyer_id: Set(buyer.id),
        placed_by: Set(Some(buyer.owner)),
        state: Set(OrderState::Completed),
        use_case: Set("test".to_owned()),
        currency: Set(sold.gross.currency.code().to_owned()),
        total_minor: Set(sold.gross.minor),
        created_at: Set(now),
        expires_at: Set(Timestamp(now.0 + Duration::days(2))),
        decided_at: Set(None),
        decision_note: Set(None),
        closed_at: Set(Some(now)),
        hold_ended_at: Set(None),
        ..Default::default()
    }
}

fn line_row(sold: &Sold, provider: &TestOrg) -> order_line::ActiveModel {
    let shelf = Shelf::of(provider);
    order_line::ActiveModel {
        order_id: Set(sold.order),
        line_no: Set(1),
        listing_id: Set(shelf.listing),
        offer_id: Set(shelf.offer),
        provider_id: Set(provider.id),
        offer_kind: Set(if sold.gross.is_zero() { OfferKind::Free } else { OfferKind::OneOff }),
        price_minor: Set(sold.gross.minor),
        currency: Set(sold.gross.currency.code().to_owned()),
        fee_rule_id: Set(None),
        fee_bps: Set(2_000),
        operator_minor: Set(sold.gross.minor - sold.share.minor),
        provider_minor: Set(sold.share.minor),
        licence_hash: Set(shelf.hash),
        term_months: Set(None),
        coverage: Set(Coverage::Snapshot),
        revision_number: Set(1),
        hold_days: Set(HOLD_DAYS),
        ..Default::default()
    }
}

fn payment_row(sold: &Sold, now: Timestamp) -> payment::ActiveModel {
    payment::ActiveModel {
        id: Set(sold.payment),
        order_id: Set(sold.order),
        attempt: Set(1),
        state: Set(PaymentState::Succeeded),
        processor: Set("sandbox".to_owned()),
        processor_ref: Set(Some(format!("ch_{}", sold.payment.0.simple()))),
        amount_minor: Set(sold.gross.minor),
        currency: Set(sold.gross.currency.code().to_owned()),
        failure_code: Set(None),
        failure_text: Set(None),
        created_at: Set(now),
        settled_at: Set(Some(now)),
        ..Default::default()
    }
}

fn grant_row(sold: &Sold, provider: &TestOrg, buyer: &TestOrg, now: Timestamp) -> grant::ActiveModel {
    let shelf = Shelf::of(provider);
    grant::ActiveModel {
        id: Set(GrantId::at(now.0)),
        order_id: Set(sold.order),
        line_no: Set(1),
        listing_id: Set(shelf.listing),
        organization_id: Set(buyer.id),
        provider_id: Set(provider.id),
        licence_hash: Set(shelf.hash),
        coverage: Set(Coverage::Snapshot),
        through_revision: Set(1),
        state: Set(GrantState::Active),
        starts_at: Set(now),
        ends_at: Set(None),
        ended_at: Set(None),
        end_reason: Set(None),
        ..Default::default()
    }
}
