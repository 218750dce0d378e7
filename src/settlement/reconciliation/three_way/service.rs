//! Putting a three-way report together.

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp, bank_payout,
    states::{BankLineState, ExceptionClass},
};
use sea_orm::ConnectionTrait;

use super::{
    super::Period,
    model::{ExceptionSum, InTransit, Leg, ThreeWay, TimingItem, is_of_orders},
    store,
};
use crate::{
    base::Currency,
    error::Result,
    limits,
    settlement::{
        bank::{
            self,
            days::{add_bank_days, day_of},
        },
        exceptions::{self, detect},
    },
    state::AppState,
};

/// Compares orders, processor and bank of a period in one currency; changes nothing but what it books of lines
/// that wait to be booked.
///
/// # Errors
/// Those of the database.
pub async fn three_way(app: &AppState, currency: Currency, period: Period) -> Result<ThreeWay> {
    bank::matching::register_payouts(app).await?;
    let conn = app.db.read();
    let (orders, orders_minor) = store::orders(conn, currency, period).await?;
    let (charges, charges_minor) = store::lines(conn, currency, period, &["charge"]).await?;
    let compared = detect::compare(conn, period, app.clock.now()).await?;
    let mut timing: Vec<TimingItem> = compared
        .cutoff
        .into_iter()
        .filter(|item| item.off.currency == currency)
        .map(|item| TimingItem {
            order_id: item.order_id,
            transaction_id: item.transaction_id,
            amount_minor: item.off.minor,
        })
        .collect();
    let timing_minor = total(timing.iter().map(|item| item.amount_minor));
    let named = total(
        compared
            .found
            .iter()
            .filter(|new| is_of_orders(new.class) && new.off.currency == currency)
            .map(|new| new.off.minor),
    );
    let orders_to_processor = Leg::new(orders_minor, charges_minor, timing_minor, named);

    let sent = store::lines(conn, currency, period, &["payout", "payout_failure"]).await?.1.saturating_neg();
    let flow = flow(conn, currency, period).await?;
    let processor_to_bank = Leg::new(sent, flow.settled_minor, flow.timing_minor, 0);

    let (bank_lines, lines_minor) = store::bank_lines(conn, currency, period).await?;
    let (waiting, waiting_minor) =
        store::bank_lines_in(conn, currency, period, [BankLineState::Imported, BankLineState::Undecided]).await?;
    let parts_minor = store::parts(conn, currency, period).await?;
    let bank_to_books = Leg::new(lines_minor, parts_minor, waiting_minor, 0);
    let by_hand =
        store::bank_lines_in(conn, currency, period, [BankLineState::Suspense, BankLineState::Resolved]).await?.0;

    let sums = exception_sums(conn, currency, period).await?;
    let unnamed = [orders_to_processor, processor_to_bank, bank_to_books];
    let unnamed = total(unnamed.iter().map(|leg| leg.unnamed_minor.saturating_abs()));
    let open = total(sums.iter().map(|sum| sum.open_minor));
    let count = |of: &BTreeMap<Currency, u64>| of.get(&currency).map_or(0, |n| i64::try_from(*n).unwrap_or(i64::MAX));
    let rows_max = limits::THREE_WAY_ROWS_MAX;
    let timing_untold = timing.len().saturating_sub(rows_max) as u64;
    timing.truncate(rows_max);
    let mut in_transit = in_transit(app, &flow.open);
    let in_transit_untold = in_transit.len().saturating_sub(rows_max) as u64;
    in_transit.truncate(rows_max);
    Ok(ThreeWay {
        currency,
        orders_to_processor,
        processor_to_bank,
        bank_to_books,
        orders,
        charges,
        bank_lines,
        matched_by_machine: count(&compared.matched) + bank_lines - waiting - by_hand,
        looked_at: count(&compared.looked_at) + bank_lines,
        suspense_minor: store::suspense(conn, currency, period).await?,
        exceptions: sums,
        timing,
        timing_untold,
        in_transit,
        in_transit_untold,
        unexplained_minor: unnamed.saturating_add(open),
    })
}

fn total(minor: impl Iterator<Item = i64>) -> i64 {
    let sum: i128 = minor.map(i128::from).sum();
    i64::try_from(sum).unwrap_or(i64::MAX)
}

/// What arrived of the processor's payouts within a period, and what was on its way at its ends.
struct Flow {
    /// Settled within the period.
    settled_minor: i64,
    /// On its way at the end, less on its way at the beginning.
    timing_minor: i64,
    /// Payouts that were on their way at the end, with what was open then.
    open: Vec<(bank_payout::Model, i64)>,
}

async fn flow(conn: &impl ConnectionTrait, currency: Currency, period: Period) -> Result<Flow> {
    let payouts = store::payouts(conn, currency, period).await?;
    let ids: Vec<String> = payouts.iter().map(|row| row.id.clone()).collect();
    let mut arrivals: HashMap<String, Vec<(Timestamp, i64)>> = HashMap::new();
    for (id, day, minor) in store::arrivals(conn, &ids).await? {
        arrivals.entry(id).or_default().push((day, minor));
    }
    let mut flow = Flow { settled_minor: 0, timing_minor: 0, open: Vec::new() };
    for row in payouts {
        let parts = arrivals.remove(&row.id).unwrap_or_default();
        let by_lines = total(parts.iter().map(|(_, minor)| *minor));
        // What a person settled without a line counts from when the payout was settled, or for now.
        let by_hand = (row.settled_at.unwrap_or(period.from), row.settled_minor.saturating_sub(by_lines));
        let before = |at: Timestamp| {
            let settled = total(parts.iter().chain([&by_hand]).filter(|(day, _)| *day < at).map(|(_, minor)| *minor));
            let returned = row.returned_at.is_some_and(|day| day < at);
            let sent = if row.sent_at < at && !returned { row.amount_minor } else { 0 };
            (settled, sent)
        };
        let ((settled_from, sent_from), (settled_until, sent_until)) = (before(period.from), before(period.until));
        flow.settled_minor = flow.settled_minor.saturating_add(settled_until.saturating_sub(settled_from));
        let open = sent_until.saturating_sub(settled_until);
        flow.timing_minor =
            flow.timing_minor.saturating_add(open.saturating_sub(sent_from.saturating_sub(settled_from)));
        if open != 0 {
            flow.open.push((row, open));
        }
    }
    Ok(flow)
}

fn in_transit(app: &AppState, open: &[(bank_payout::Model, i64)]) -> Vec<InTransit> {
    let today = app.clock.now().date();
    let late = app.config.reconciliation.late_bank_days;
    open.iter()
        .map(|(row, open_minor)| InTransit {
            reference: row.reference.clone(),
            payout_id: row.payout_id,
            open_minor: *open_minor,
            sent_at: row.sent_at,
            is_late: row.settled_at.is_none()
                && today > add_bank_days(day_of(row.expected_on.unwrap_or(row.sent_at)), late),
        })
        .collect()
}

/// The exceptions of a period, by class.
pub async fn exception_sums(
    conn: &impl ConnectionTrait,
    currency: Currency,
    period: Period,
) -> Result<Vec<ExceptionSum>> {
    let mut sums: BTreeMap<ExceptionClass, ExceptionSum> = BTreeMap::new();
    for (class, waits, count, sum_minor, all_minor) in
        exceptions::sums(conn, currency, period.from, period.until).await?
    {
        let sum = sums.entry(class).or_insert_with(|| ExceptionSum::none(class));
        sum.sum_minor = sum.sum_minor.saturating_add(sum_minor);
        if waits {
            sum.open = sum.open.saturating_add(count);
            sum.open_minor = sum.open_minor.saturating_add(all_minor);
        } else {
            sum.resolved = sum.resolved.saturating_add(count);
        }
    }
    Ok(sums.into_values().collect())
}
