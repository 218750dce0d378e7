//! Credit notes for refunds, whatever parts they come in.

use entity::{
    Timestamp,
    ids::{OrderId, RefundId},
    order, order_line, order_reduction, payment, refund,
    states::{DocumentKind, DocumentLeg, ReductionKind, RefundOrigin, RefundState, TaxMode},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};
use torv::{base::allocate, db::Tx};

use super::{DANISH_ID, OPERATOR_ID, Parties, assert_valid, documents, violations};
use crate::support::{Backend, TestApp, on_both, one_off};

/// Writes a paid refund of `amount` down as the refunds of the exchange do; `before` was refunded earlier.
async fn refunded(app: &TestApp, order: OrderId, before: i64, amount: i64) {
    let conn = app.app.db.read();
    let head = order::Entity::find_by_id(order).one(conn).await.expect("readable").expect("the order");
    let line = order_line::Entity::find().filter(order_line::Column::OrderId.eq(order)).one(conn).await;
    let line = line.expect("readable").expect("a line");
    let paid = payment::Entity::find().filter(payment::Column::OrderId.eq(order)).one(conn).await;
    let tax = if head.tax_mode == TaxMode::DeemedSupplier { line.tax_minor } else { 0 };
    let shares = [line.provider_minor, line.operator_minor, tax];
    let parts = allocate::cumulative(&shares, before, before + amount).expect("in range");
    let now = Timestamp(app.clock.now());
    let id = RefundId::at(now.0);
    let row = refund::Model {
        id,
        order_id: order,
        payment_id: paid.expect("readable").expect("a payment").id,
        buyer_id: head.buyer_id,
        origin: RefundOrigin::Operator,
        state: RefundState::Paid,
        currency: head.currency,
        amount_minor: amount,
        reason: "test".to_owned(),
        ends_access: false,
        created_by: None,
        created_at: now,
        answer_due_at: None,
        answered_at: None,
        answer_note: None,
        appealed_at: None,
        appeal_note: None,
        decided_at: Some(now),
        decided_by: None,
        decision_note: None,
        attempt: 1,
        next_try_at: None,
        processor_ref: None,
        failure_text: None,
        paid_at: Some(now),
    };
    let taken = order_reduction::Model {
        source_id: id.0,
        line_no: 1,
        kind: ReductionKind::Refund,
        order_id: order,
        provider_id: line.provider_id,
        provider_minor: parts[0],
        operator_minor: parts[1],
        tax_minor: parts[2],
        debt_minor: 0,
        undone_debt_minor: 0,
        recovery_asked_at: None,
        created_at: now,
        undone_at: None,
    };
    app.write(async move |tx: &Tx| {
        refund::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await.expect("inserts");
        let insert = order_reduction::Entity::insert(taken.into_active_model());
        insert.exec_without_returning(tx.conn()).await.expect("inserts");
    })
    .await;
    app.run_jobs().await;
    app.advance(time::Duration::seconds(1));
}

/// Refunds an order in these parts; then asserts that the credit notes take back exactly the invoices.
async fn credited_in_parts(app: &TestApp, parties: &Parties, parts: &[i64]) {
    let order: OrderId = parties.buy(app, "k").await["id"].as_str().expect("an id").parse().expect("an order id");
    let mut before = 0;
    for part in parts {
        refunded(app, order, before, *part).await;
        before += part;
        let told: Vec<_> =
            violations(app).await.into_iter().filter(|text| text.contains("doc") || text.contains("numbers")).collect();
        // The test books no refund, so only what is said of documents counts.
        let told: Vec<_> = told.into_iter().filter(|text| !text.contains("balance")).collect();
        assert!(told.is_empty(), "{told:#?}");
    }
    let rows = documents(app).await;
    for leg in [DocumentLeg::Sale, DocumentLeg::Share] {
        let (mut net, mut tax, mut payable, mut notes) = (0, 0, 0, 0);
        for row in rows.iter().filter(|row| row.leg == leg) {
            let credit = matches!(row.kind, DocumentKind::CreditNote | DocumentKind::SelfBilledCreditNote);
            let sign = if credit { -1 } else { 1 };
            net += sign * row.net_minor;
            tax += sign * row.tax_minor;
            payable += sign * row.payable_minor;
            notes += usize::from(credit);
        }
        assert_eq!((tax, payable, notes), (0, 0, parts.len()), "{leg}");
        // What the nets are off is what the roundings say.
        assert!(net.abs() <= i64::try_from(parts.len()).expect("few") * 4, "{leg}: {net}");
    }
    assert_valid(app, &parties.operator).await;
}

const PARTS: [i64; 4] = [3_333, 1, 4_000, 5_167];

on_both! {
    async fn refunds_of_an_agents_sale_take_back_what_was_invoiced(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        assert_eq!(PARTS.iter().sum::<i64>(), 12_501);
        credited_in_parts(app, &parties, &[3_333, 2_000, 4_000, 3_168]).await;
    }
}

async fn deemed(backend: Backend) {
    let Some(home) = crate::support::Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.trade.tax_mode = TaxMode::DeemedSupplier).await;
    let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
    let parties = Parties::new(&app, &one_off(10_001), ids).await;
    credited_in_parts(&app, &parties, &PARTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_of_a_deemed_suppliers_sale_take_back_what_was_invoiced_on_sqlite() {
    deemed(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_of_a_deemed_suppliers_sale_take_back_what_was_invoiced_on_postgres() {
    deemed(Backend::Postgres).await;
}
