//! Credit notes of real refunds, whatever parts they come in, and of lost disputes; and what corrects them when a refund
//! is undone.

use entity::{
    document,
    ids::OrderId,
    refund,
    states::{DocumentKind, DocumentLeg},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::json;
use time::Duration;

use super::{
    DANISH_ID, OPERATOR_ID, Parties, as_deemed_supplier, assert_verified, documents, findings, on_both_deemed,
};
use crate::support::{Backend, TestApp, charge_of, on_both, one_off, sales::money};

const IDS: [(&str, Option<&str>); 3] = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];

/// A sale of 100.01 EUR and 25 % tax, three days ago, with its invoices; another sale keeps the balance filled.
async fn sold(app: &TestApp) -> (Parties, OrderId) {
    sold_under(app, "split").await
}

/// The same, where `bearer` bears a lost dispute.
async fn sold_under(app: &TestApp, bearer: &str) -> (Parties, OrderId) {
    let parties = Parties::new(app, &one_off(10_001), IDS).await;
    let rule = json!({"operator_bps": 2_000, "dispute_bearer": bearer});
    let request = app.as_org(&parties.operator, "POST", "/api/v1/fee-rules").header("idempotency-key", bearer);
    request.json(&rule).send().await.expect(201);
    app.sell(&app.provider().await, &parties.buyer, money(90_000, "EUR")).await;
    let order = parties.buy(app, "k").await;
    assert_eq!(order["total"]["minor"], 12_501);
    app.advance(Duration::days(3));
    app.run_jobs().await;
    (parties, order["id"].as_str().expect("an id").parse().expect("an order id"))
}

async fn refund(app: &TestApp, parties: &Parties, order: OrderId, minor: Option<i64>, key: &str) {
    let body = json!({"amount_minor": minor, "reason": "Half of it is missing."});
    let path = format!("/api/v1/orders/{order}/refunds/issue");
    let request = app.as_org(&parties.operator, "POST", &path).header("idempotency-key", key);
    request.json(&body).send().await.expect(201);
    app.run_jobs().await;
    app.advance(Duration::seconds(1));
}

/// The money of the latest refund comes back from the buyer's bank.
async fn come_back(app: &TestApp, order: OrderId) {
    let latest = refund::Entity::find().filter(refund::Column::OrderId.eq(order)).order_by_desc(refund::Column::Id);
    let row = latest.one(app.app.db.read()).await.expect("reads").expect("a refund");
    app.sandbox.return_refund(row.processor_ref.as_deref().expect("taken")).await.expect("comes back");
    app.run_jobs().await;
    app.advance(Duration::seconds(1));
}

async fn of_order(app: &TestApp, order: OrderId) -> Vec<document::Model> {
    documents(app).await.into_iter().filter(|row| row.order_id == order).collect()
}

const fn is_credit(kind: DocumentKind) -> bool {
    matches!(kind, DocumentKind::CreditNote | DocumentKind::SelfBilledCreditNote)
}

/// What invoices of a leg say less what credit notes do: tax and payable.
fn left(rows: &[document::Model], leg: DocumentLeg) -> (i64, i64) {
    let (mut tax, mut payable) = (0, 0);
    for row in rows.iter().filter(|row| row.leg == leg) {
        let sign = if is_credit(row.kind) { -1 } else { 1 };
        tax += sign * row.tax_minor;
        payable += sign * row.payable_minor;
    }
    (tax, payable)
}

/// Refunds an order in these parts; the credit notes then take back exactly the invoices.
async fn credited_in_parts(app: &TestApp, parts: &[i64]) {
    let (parties, order) = sold(app).await;
    let mut left_minor = 12_501;
    for (number, part) in parts.iter().enumerate() {
        refund(app, &parties, order, Some(*part), &number.to_string()).await;
        left_minor -= part;
        let rows = of_order(app, order).await;
        assert_eq!(left(&rows, DocumentLeg::Sale).1, left_minor, "what the buyer has paid for, to the cent");
        assert_verified(app).await;
    }
    let rows = of_order(app, order).await;
    for leg in [DocumentLeg::Sale, DocumentLeg::Share] {
        assert_eq!(left(&rows, leg), (0, 0), "{leg}");
        let notes = rows.iter().filter(|row| row.leg == leg && is_credit(row.kind)).count();
        assert!(notes <= parts.len() && notes > 0, "{leg}: {notes}");
    }
    assert_rows_valid(app, &parties, &rows).await;
    assert_reads(app, &parties, &rows).await;
}

/// No rule of EN 16931 has anything to say against these documents.
async fn assert_rows_valid(app: &TestApp, parties: &Parties, rows: &[document::Model]) {
    for row in rows {
        assert_eq!(findings(app, &parties.operator, &row.id.to_string()).await, Vec::<String>::new());
    }
}

/// The PDF of each credit note says its number, its amount and which invoice it takes back, as another program reads it.
async fn assert_reads(app: &TestApp, parties: &Parties, rows: &[document::Model]) {
    for row in rows.iter().filter(|row| is_credit(row.kind) || row.source_id != row.order_id.0) {
        let path = format!("/api/v1/documents/{}/pdf?lang=en", row.id);
        let bytes = app.as_org(&parties.operator, "GET", &path).send().await.expect(200).bytes;
        let file = app.home.path().join(format!("{}.pdf", row.number));
        std::fs::write(&file, &bytes).expect("writes");
        let Ok(read) = std::process::Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output() else {
            eprintln!("!!! SKIPPED: no pdftotext; the PDFs are not read");
            return;
        };
        let text = String::from_utf8(read.stdout).expect("text");
        let body: serde_json::Value = serde_json::from_str(&row.body).expect("JSON");
        let preceding = body["draft"]["preceding"]["number"].as_str().expect("names what it takes back");
        let amount = format!("{}.{:02}", row.payable_minor / 100, row.payable_minor % 100);
        for words in [row.number.as_str(), preceding, amount.as_str()] {
            assert!(text.contains(words), "{words} is not in {}: {text}", row.number);
        }
    }
}

/// A refund, its credit notes, its money back, the corrections, and then refunds of everything after all.
async fn corrected(app: &TestApp) {
    let (parties, order) = sold(app).await;
    let invoiced = [DocumentLeg::Sale, DocumentLeg::Share].map(|leg| (leg, leg));
    let before = of_order(app, order).await;
    for (round, minor) in [Some(4_001), None].into_iter().enumerate() {
        refund(app, &parties, order, minor, &format!("round {round}").replace(' ', "-")).await;
        let credited = of_order(app, order).await;
        assert_ne!(left(&credited, DocumentLeg::Sale), left(&before, DocumentLeg::Sale));
        come_back(app, order).await;
        let rows = of_order(app, order).await;
        assert_eq!(rows.len(), before.len() + 4 * (round + 1), "two credit notes and their corrections");
        for (leg, _) in invoiced {
            assert_eq!(left(&rows, leg), left(&before, leg), "round {round}, {leg}: as if nothing had been refunded");
        }
        let notes = rows.iter().filter(|row| is_credit(row.kind)).count();
        let later = rows.iter().filter(|row| row.source_id != order.0 && !is_credit(row.kind));
        for correction in later.clone() {
            let body: serde_json::Value = serde_json::from_str(&correction.body).expect("JSON");
            let corrected = body["draft"]["preceding"]["number"].as_str().expect("a note");
            let note = rows.iter().find(|row| row.number == corrected && row.seller_id == correction.seller_id);
            let note = note.expect("it is there");
            assert!(is_credit(note.kind));
            assert_eq!(
                (note.net_minor, note.tax_minor, note.payable_minor),
                (correction.net_minor, correction.tax_minor, correction.payable_minor)
            );
        }
        assert_eq!(later.count(), notes, "each note is corrected once");
        assert_verified(app).await;
    }
    for (number, minor) in [Some(3_333), Some(1), None].into_iter().enumerate() {
        refund(app, &parties, order, minor, &format!("last-{number}")).await;
    }
    let rows = of_order(app, order).await;
    assert_eq!([left(&rows, DocumentLeg::Sale), left(&rows, DocumentLeg::Share)], [(0, 0); 2], "refunded after all");
    app.run_jobs().await;
    assert_eq!(of_order(app, order).await.len(), rows.len(), "nothing is issued twice");
    assert_verified(app).await;
    assert_rows_valid(app, &parties, &rows).await;
    assert_reads(app, &parties, &rows).await;
}

/// What a lost dispute takes back of the sale and of the share, by who bears it.
async fn disputed(app: &TestApp, bearers: [(&str, bool); 3]) {
    for (bearer, takes_share) in bearers {
        let (parties, order) = sold_under(app, bearer).await;
        let before = of_order(app, order).await;
        let payment = app.trace(&order.to_string()).await.payments[0].id;
        let at_bank = app.sandbox.dispute(&charge_of(payment), money(12_501, "EUR"), false).await.expect("disputes");
        app.run_jobs().await;
        assert_eq!(of_order(app, order).await.len(), before.len(), "an open dispute takes nothing back");
        app.sandbox.decide_dispute(&at_bank, false).await.expect("decides");
        app.advance(Duration::minutes(11));
        app.run_jobs().await;
        let rows = of_order(app, order).await;
        assert_eq!(left(&rows, DocumentLeg::Sale), (0, 0), "{bearer}: the buyer has its money back");
        let share = if takes_share { (0, 0) } else { left(&before, DocumentLeg::Share) };
        assert_eq!(left(&rows, DocumentLeg::Share), share, "{bearer}: whoever keeps its share has invoiced it rightly");
        assert_verified(app).await;
        assert_rows_valid(app, &parties, &rows).await;
        assert_reads(app, &parties, &rows).await;
    }
}

on_both! {
    async fn refunds_of_an_agents_sale_take_back_what_was_invoiced(app) {
        credited_in_parts(app, &[3_333, 2_000, 4_000, 3_168]).await;
    }

    async fn a_full_refund_of_an_agents_sale_takes_all_back_at_once(app) {
        credited_in_parts(app, &[12_501]).await;
    }

    async fn an_undone_refund_of_an_agents_sale_is_invoiced_again(app) {
        corrected(app).await;
    }

    async fn lost_disputes_of_an_agents_sale_are_credited(app) {
        disputed(app, [("split", true), ("operator", true), ("provider", false)]).await;
    }
}

on_both_deemed! {
    async fn refunds_of_a_deemed_suppliers_sale_take_back_what_was_invoiced(app) {
        credited_in_parts(app, &[3_333, 1, 4_000, 5_167]).await;
    }

    async fn a_full_refund_of_a_deemed_suppliers_sale_takes_all_back_at_once(app) {
        credited_in_parts(app, &[12_501]).await;
    }

    async fn an_undone_refund_of_a_deemed_suppliers_sale_is_invoiced_again(app) {
        corrected(app).await;
    }

    async fn lost_disputes_of_a_deemed_suppliers_sale_are_credited(app) {
        disputed(app, [("split", true), ("operator", false), ("provider", true)]).await;
    }
}
