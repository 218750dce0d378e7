//! Invoices and credit notes against the orders and reductions they document, and their numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::{
    document, document_series, documented_order, documented_reduction,
    ids::{OrderId, OrgId},
    order, order_line, order_reduction,
    states::{DocumentKind, DocumentLeg, OrderState, TaxMode},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Expected, PAGE_ROWS, VerifyReport};
use crate::{
    base::Invariant,
    error::Result,
    ledger::NewEntry,
    people::tax_profiles,
    settlement::{
        documents::{self, taken_back},
        rows::{self, Leg},
    },
};

/// Days after which a paid order without its documents is a violation; the sweep takes seconds.
const ISSUE_DAYS_MAX: i64 = 1;

/// What a document must be payable over, by source, leg and provider, and whether it corrects a credit note.
type Payables = BTreeMap<(Uuid, DocumentLeg, Option<OrgId>, bool), i128>;

pub async fn check(
    conn: &impl ConnectionTrait,
    now: OffsetDateTime,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    // Nothing is issued before there is an operator.
    let operated = tax_profiles::operator_id(conn).await?.is_some();
    let mut after: Option<OrderId> = None;
    loop {
        let mut query = documented_order::Entity::find()
            .filter(documented_order::Column::State.eq(OrderState::Completed))
            .filter(documented_order::Column::TotalMinor.gt(0))
            .order_by_asc(documented_order::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(documented_order::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        check_page(conn, &page, operated, now, report).await?;
    }
    check_bodies(conn, report, expected, progress).await?;
    check_numbers(conn, report).await
}

async fn check_page(
    conn: &impl ConnectionTrait,
    page: &[documented_order::Model],
    operated: bool,
    now: OffsetDateTime,
    report: &mut VerifyReport,
) -> Result<()> {
    let ids = || page.iter().map(|row| row.id);
    let orders = order::Entity::find().filter(order::Column::Id.is_in(ids())).all(conn).await?;
    let modes: HashMap<OrderId, TaxMode> = orders.into_iter().map(|row| (row.id, row.tax_mode)).collect();
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(ids())).all(conn).await?;
    let credited = documented_reduction::Entity::find()
        .select_only()
        .column(documented_reduction::Column::SourceId)
        .filter(documented_reduction::Column::OrderId.is_in(ids()))
        .filter(documented_reduction::Column::DocumentsIssuedAt.is_not_null())
        .into_tuple::<Uuid>()
        .all(conn)
        .await?;
    let corrected: HashSet<Uuid> = documented_reduction::Entity::find()
        .select_only()
        .column(documented_reduction::Column::SourceId)
        .filter(documented_reduction::Column::OrderId.is_in(ids()))
        .filter(documented_reduction::Column::CorrectionIssuedAt.is_not_null())
        .into_tuple::<Uuid>()
        .all(conn)
        .await?
        .into_iter()
        .collect();
    let reductions = order_reduction::Entity::find()
        .filter(order_reduction::Column::OrderId.is_in(ids()))
        .filter(order_reduction::Column::SourceId.is_in(credited))
        .all(conn)
        .await?;
    let documents = document::Entity::find()
        .filter(document::Column::OrderId.is_in(ids()))
        .filter(document::Column::Kind.ne(DocumentKind::ProForma))
        .all(conn)
        .await?;
    for row in page {
        let mode = modes.get(&row.id).copied().unwrap_or(TaxMode::Agent);
        let own: Vec<_> = lines.iter().filter(|line| line.order_id == row.id).collect();
        let mut payables = Payables::new();
        if row.documents_issued_at.is_some() {
            of_sale(row.id, mode, &own, &mut payables);
            let taken: Vec<_> = reductions.iter().filter(|part| part.order_id == row.id).cloned().collect();
            of_reductions(mode, &own, &taken, &corrected, &mut payables)?;
        } else {
            let late = row.closed_at.is_some_and(|at| at.0 + Duration::days(ISSUE_DAYS_MAX) < now);
            report.require(!late || !operated, || format!("{} is paid and has no invoice", row.id));
        }
        compare(row.id, payables, documents.iter().filter(|document| document.order_id == row.id), report);
    }
    Ok(())
}

fn of_sale(order: OrderId, mode: TaxMode, lines: &[&order_line::Model], payables: &mut Payables) {
    let source = order.0;
    for line in lines {
        let (sale, share) = match mode {
            TaxMode::Agent => (Some(line.provider_id), line.operator_minor),
            TaxMode::DeemedSupplier => (None, line.provider_minor),
        };
        let gross = i128::from(line.price_minor) + i128::from(line.tax_minor);
        *payables.entry((source, DocumentLeg::Sale, sale, false)).or_default() += gross;
        *payables.entry((source, DocumentLeg::Share, Some(line.provider_id), false)).or_default() += i128::from(share);
    }
}

fn of_reductions(
    mode: TaxMode,
    lines: &[&order_line::Model],
    parts: &[order_reduction::Model],
    corrected: &HashSet<Uuid>,
    payables: &mut Payables,
) -> Result<()> {
    let mut by_source: BTreeMap<Uuid, Vec<order_reduction::Model>> = BTreeMap::new();
    for part in parts {
        by_source.entry(part.source_id).or_default().push(part.clone());
    }
    for (source, parts) in by_source {
        let mut providers: Vec<OrgId> = lines.iter().map(|line| line.provider_id).collect();
        providers.sort_unstable();
        providers.dedup();
        let shares = providers.iter().map(|org| (DocumentLeg::Share, Some(*org)));
        let sales: Vec<_> = match mode {
            TaxMode::Agent => providers.iter().map(|org| (DocumentLeg::Sale, Some(*org))).collect(),
            TaxMode::DeemedSupplier => vec![(DocumentLeg::Sale, None)],
        };
        for (leg, provider) in shares.chain(sales) {
            let taken = taken_back(mode, leg, provider, &parts)?;
            payables.insert((source, leg, provider, false), i128::from(taken.payable_minor));
            if corrected.contains(&source) {
                payables.insert((source, leg, provider, true), i128::from(taken.payable_minor));
            }
        }
    }
    Ok(())
}

fn compare<'a>(
    order: OrderId,
    mut payables: Payables,
    documents: impl Iterator<Item = &'a document::Model>,
    report: &mut VerifyReport,
) {
    payables.retain(|_, minor| *minor != 0);
    for row in documents {
        let corrects = row.source_id != order.0 && documents::is_charge(row.kind);
        let Some(payable) = payables.remove(&(row.source_id, row.leg, row.provider_id, corrects)) else {
            report.require(false, || format!("{} documents what {order} has not, or once more", row.id));
            continue;
        };
        report.equal(&format!("what {} is payable over", row.id), payable, i128::from(row.payable_minor));
    }
    for ((_, leg, ..), minor) in payables {
        report.require(false, || format!("a document of {order} over {minor} minor units is missing ({leg})"));
    }
}

/// Each body against its hash, its own sums and its row, and what it books.
async fn check_bodies(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after = None;
    loop {
        let mut query = document::Entity::find().order_by_asc(document::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(document::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let mut entries = Vec::new();
        for row in &page {
            report.documents += 1;
            check_body(row, report);
            entries.extend(documents::tax_entry(row)?);
        }
        let sources: Vec<String> = entries.iter().map(|entry| entry.source.clone()).collect();
        let booked = rows::booked(conn, &sources).await?;
        for entry in entries {
            check_entry(&entry, booked.get(&entry.source), report, expected);
        }
        progress("documents", report.documents);
    }
}

fn check_body(row: &document::Model, report: &mut VerifyReport) {
    let Ok(document) = documents::read(row) else {
        report.require(false, || format!("{} is not what was issued, or its sums do not add up", row.id));
        return;
    };
    let (draft, totals) = (document.draft(), document.totals());
    let same = draft.number == row.number
        && draft.currency.code() == row.currency
        && draft.issue_date.year() == row.year
        && totals.net_minor == row.net_minor
        && totals.tax_minor == row.tax_minor
        && totals.gross_minor.checked_add(totals.rounding_minor) == Some(row.payable_minor);
    report.require(same, || format!("{} says something else than its row", row.id));
}

fn check_entry(entry: &NewEntry, booked: Option<&Vec<Leg>>, report: &mut VerifyReport, expected: &mut Expected) {
    let mut legs = Vec::new();
    for line in &entry.lines {
        expected.debit(&line.account, line.amount);
        legs.push((line.account.id(line.amount.currency), line.amount.minor));
    }
    let mut found: Vec<_> = booked.into_iter().flatten().map(|leg| (leg.account, leg.minor)).collect();
    legs.sort_unstable();
    found.sort_unstable();
    report.hold(Invariant::SubLedger, found == legs, || format!("{} is not booked as its document says", entry.source));
}

/// Each series has as many documents as numbers given, and the last one has the last number. With the unique index on
/// issuer, kind, year and number that means no gap.
async fn check_numbers(conn: &impl ConnectionTrait, report: &mut VerifyReport) -> Result<()> {
    let given: Vec<(OrgId, DocumentKind, i32, i64, i64, i64)> = document::Entity::find()
        .select_only()
        .columns([document::Column::IssuerId, document::Column::Kind, document::Column::Year])
        .expr(Expr::col(document::Column::SeriesNumber).min())
        .expr(Expr::col(document::Column::SeriesNumber).max())
        .expr(Expr::col(document::Column::Id).count())
        .group_by(document::Column::IssuerId)
        .group_by(document::Column::Kind)
        .group_by(document::Column::Year)
        .into_tuple()
        .all(conn)
        .await?;
    let mut of: HashMap<_, _> =
        given.into_iter().map(|(org, kind, year, min, max, count)| ((org, kind, year), (min, max, count))).collect();
    for series in document_series::Entity::find().all(conn).await? {
        let last = series.next_number - 1;
        let found = of.remove(&(series.issuer_id, series.kind, series.year));
        let whole = found == Some((1, last, last));
        report.require(whole, || {
            format!("the {} numbers of {} in {} have a gap", series.kind, series.issuer_id, series.year)
        });
    }
    for (issuer, kind, year) in of.into_keys() {
        report.require(false, || format!("{issuer} has documents of kind {kind} in {year} without a series"));
    }
    Ok(())
}
