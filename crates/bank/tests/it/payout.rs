//! Stripe's payout report.

use torv_bank::{FaultKind, PayoutReader};

use crate::support::{PAYOUTS, read_payouts, settings, with};

#[test]
fn major_units_become_minor_units_by_the_currency() {
    let lines = read_payouts(PAYOUTS).expect("a whole report");
    let amounts: Vec<_> =
        lines.iter().map(|line| (line.currency.code(), line.gross_minor, line.fee_minor, line.net_minor)).collect();
    assert_eq!(
        amounts,
        [("EUR", 10_001, 320, 9681), ("EUR", -8001, 0, -8001), ("EUR", -1000, 0, -1000), ("JPY", 1200, 43, 1157)]
    );
}

#[test]
fn every_line_carries_its_ids() {
    let lines = read_payouts(PAYOUTS).expect("a whole report");
    let line = &lines[0];
    assert_eq!(line.payout_id.as_deref(), Some("po_1Torv1"));
    assert_eq!(line.effective_at.map(|date| date.to_string()).as_deref(), Some("2026-02-03"));
    assert_eq!(line.balance_transaction_id, "txn_1Torv1");
    assert_eq!(line.created.map(|time| time.to_string()).as_deref(), Some("2026-01-30 12:34:56.0"));
    assert_eq!(line.available_on.map(|date| date.to_string()).as_deref(), Some("2026-02-02"));
    assert_eq!(line.reporting_category, "charge");
    assert_eq!(line.source_id.as_deref(), Some("ch_1Torv1"));
    assert_eq!(line.payment_intent_id.as_deref(), Some("pi_1Torv1"));
    assert_eq!((line.trace_id.as_deref(), line.trace_id_status.as_deref()), (Some("TRACE-1"), Some("supported")));
    assert_eq!(line.description.as_deref(), Some("Order 1001, dataset"));
    assert_eq!(lines[1].connected_account_id.as_deref(), Some("acct_1Torv1"));
    let references: Vec<_> = lines.iter().map(|line| line.our_reference.as_deref()).collect();
    assert_eq!(references, [Some("ord_1001"), Some("ord_1001"), Some("ord_0999"), Some("ord_2001")]);
    assert_eq!(lines[3].trace_id, None);
}

#[test]
fn missing_columns_are_all_named() {
    let report = with(PAYOUTS, "gross,fee", "amount,fees");
    let error = read_payouts(&report).expect_err("two columns are missing");
    assert_eq!(error.kind, FaultKind::Missing);
    assert!(error.problem.contains("gross, fee"), "{error}");
}

#[test]
fn wrong_nets_and_finer_amounts_are_refused() {
    for (from, to, kind) in [
        ("96.81", "96.82", FaultKind::Total),
        ("100.01,3.20", "100.015,3.20", FaultKind::Amount),
        (",1200,43,", ",1200.5,43,", FaultKind::Amount),
        (",eur,", ",xxx,", FaultKind::Currency),
        ("txn_1Torv1", "", FaultKind::Missing),
        ("2026-01-30 12:34:56", "2026-01-30 25:34:56", FaultKind::Invalid),
        (",visa", "", FaultKind::Syntax),
    ] {
        let error = read_payouts(&with(PAYOUTS, from, to)).expect_err(from);
        assert_eq!((error.kind, error.position.line), (kind, if from == ",1200,43," { 5 } else { 2 }), "{error}");
    }
}

#[test]
fn a_cut_report_never_gives_a_line_that_is_not_in_it_before_the_last() {
    let whole = read_payouts(PAYOUTS).expect("a whole report");
    for end in 0..PAYOUTS.len() {
        let Ok(reader) = PayoutReader::new(&PAYOUTS[..end], "order_id", &settings()) else { continue };
        let lines: Vec<_> = reader.map_while(Result::ok).collect();
        let complete = lines.len().saturating_sub(1);
        assert_eq!(lines[..complete], whole[..complete], "cut at {end}");
    }
}
