//! Orders against their lines, payments, grants and entries.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::{
    grant,
    ids::{ListingId, OfferId, OrderId, OrgId},
    licence_document, listing, offer, order, order_line, organization, payment, posting,
    states::{GrantState, OrderState, PaymentState, TaxMode},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    Expected, PAGE_ROWS, VerifyReport,
    clearing::{self, Moved},
    shares::{self, Later},
};
use crate::{
    base::{Currency, Invariant, Money},
    error::Result,
    ledger::Account,
    settlement::{
        currency,
        rows::{self, Leg},
    },
};

/// What belongs to the orders of one page.
struct Around {
    lines: HashMap<OrderId, Vec<order_line::Model>>,
    grants: HashMap<OrderId, Vec<grant::Model>>,
    payments: HashMap<OrderId, Vec<payment::Model>>,
    later: Later,
    moved: Moved,
    entries: HashMap<String, Vec<Leg>>,
    posted: HashSet<OrderId>,
    listings: HashSet<ListingId>,
    offers: HashSet<OfferId>,
    organizations: HashSet<OrgId>,
    documents: HashSet<String>,
}

pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<OrderId> = None;
    loop {
        let mut query = order::Entity::find().order_by_asc(order::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(order::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let around = load(conn, &page).await?;
        for row in &page {
            report.orders += 1;
            check_references(row, &around, report);
            clearing::check(row, &around.later, &around.moved, report)?;
            if row.state == OrderState::Completed {
                check_completed(row, &around, report, expected)?;
            } else {
                check_not_completed(row, &around, report, expected)?;
            }
        }
        progress("orders", report.orders);
    }
}

fn sale_of(order: OrderId) -> String {
    format!("order:{order}:sale")
}

fn hold_end_of(order: OrderId) -> String {
    format!("order:{order}:hold_end")
}

async fn load(conn: &impl ConnectionTrait, page: &[order::Model]) -> Result<Around> {
    let ids: Vec<OrderId> = page.iter().map(|row| row.id).collect();
    let of = || ids.iter().copied();
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(of())).all(conn).await?;
    let grants = grant::Entity::find().filter(grant::Column::OrderId.is_in(of())).all(conn).await?;
    let payments = payment::Entity::find()
        .filter(payment::Column::OrderId.is_in(of()))
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .all(conn)
        .await?;
    let sources: Vec<String> = of().flat_map(|id| [sale_of(id), hold_end_of(id)]).collect();
    let later = shares::load(conn, &ids).await?;
    let organizations = lines
        .iter()
        .map(|line| line.provider_id)
        .chain(grants.iter().flat_map(|grant| [grant.organization_id, grant.provider_id]))
        .chain(page.iter().map(|order| order.buyer_id));
    Ok(Around {
        entries: rows::booked(conn, &sources).await?,
        posted: rows::present::<posting::Entity, _>(conn, posting::Column::OrderId, of()).await?,
        listings: rows::present::<listing::Entity, _>(
            conn,
            listing::Column::Id,
            lines.iter().map(|line| line.listing_id).chain(grants.iter().map(|grant| grant.listing_id)),
        )
        .await?,
        offers: rows::present::<offer::Entity, _>(conn, offer::Column::Id, lines.iter().map(|line| line.offer_id))
            .await?,
        organizations: rows::present::<organization::Entity, _>(conn, organization::Column::Id, organizations).await?,
        documents: rows::present::<licence_document::Entity, _>(
            conn,
            licence_document::Column::Hash,
            lines.iter().map(|line| line.licence_hash.clone()),
        )
        .await?,
        lines: grouped(lines, |line| line.order_id),
        grants: grouped(grants, |grant| grant.order_id),
        payments: grouped(payments, |payment| payment.order_id),
        moved: clearing::load(conn, &ids, &later).await?,
        later,
    })
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> OrderId) -> HashMap<OrderId, Vec<T>> {
    let mut of: HashMap<OrderId, Vec<T>> = HashMap::new();
    for row in rows {
        of.entry(key(&row)).or_default().push(row);
    }
    of
}

fn check_references(row: &order::Model, around: &Around, report: &mut VerifyReport) {
    let id = row.id;
    let known = |org: &OrgId| around.organizations.contains(org);
    report.require(known(&row.buyer_id), || format!("the buyer {} of {id} does not exist", row.buyer_id));
    for line in around.lines.get(&id).into_iter().flatten() {
        let (listing, offer, hash) = (line.listing_id, line.offer_id, &line.licence_hash);
        report.require(around.listings.contains(&listing), || format!("{listing}, ordered in {id}, does not exist"));
        report.require(around.offers.contains(&offer), || format!("{offer}, ordered in {id}, does not exist"));
        report.require(known(&line.provider_id), || format!("{}, who sold {id}, does not exist", line.provider_id));
        report.require(around.documents.contains(hash), || format!("the licence {hash} accepted in {id} is not kept"));
    }
    for grant in around.grants.get(&id).into_iter().flatten() {
        report.grants += 1;
        let listing = grant.listing_id;
        report.require(around.listings.contains(&listing), || {
            format!("{} grants {listing}, which does not exist", grant.id)
        });
        let both = known(&grant.organization_id) && known(&grant.provider_id);
        report.require(both, || format!("{} is between organisations that don't exist", grant.id));
    }
}

fn check_not_completed(
    row: &order::Model,
    around: &Around,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let (id, state) = (row.id, row.state);
    let granted = around.grants.contains_key(&id);
    report.require(!granted, || format!("{id} is {state}, and yet it has a grant"));
    let paid = kept(row, around).next().is_some();
    report.require(!paid, || format!("{id} is {state}, and yet a payment of it succeeded"));
    // What the processor's lines moved of it is in clearing until the order is paid, or given back.
    let posted = around.entries.contains_key(&sale_of(id)) || around.entries.contains_key(&hold_end_of(id));
    report.require(!posted, || format!("{id} is {state}, and yet it is in the books"));
    let currency = currency(&row.currency)?;
    around.later.expect_automatic(id, currency, expected);
    shares::expect_disputes(row, &[], currency, &around.later, report, expected);
    Ok(())
}

/// Payments of an order that succeeded and did not go back by themselves.
fn kept<'a>(row: &order::Model, around: &'a Around) -> impl Iterator<Item = &'a payment::Model> {
    let given_back: Vec<_> = around.later.automatic(row.id).map(|refund| refund.payment_id).collect();
    around.payments.get(&row.id).into_iter().flatten().filter(move |payment| !given_back.contains(&payment.id))
}

fn check_completed(
    row: &order::Model,
    around: &Around,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let none = Vec::new();
    let lines = around.lines.get(&row.id).unwrap_or(&none);
    check_grants(row, lines, around, report);
    let currency = currency(&row.currency)?;
    let total = lines.iter().map(|line| i128::from(line.price_minor) + i128::from(line.tax_minor)).sum();
    report.same(Invariant::Shares, &format!("the total of {}", row.id), total, i128::from(row.total_minor));
    if row.total_minor == 0 {
        report.free_orders += 1;
        let posted = around.posted.contains(&row.id);
        report.hold(Invariant::Shares, !posted, || format!("{} was free, and yet it is in the books", row.id));
        return Ok(());
    }
    report.paid_orders += 1;
    let payments: Vec<_> = kept(row, around).collect();
    report.same(Invariant::Shares, &format!("the number of payments of {} that succeeded", row.id), 1, payments.len());
    for payment in payments {
        let same = payment.amount_minor == row.total_minor && payment.currency == row.currency;
        let (paid, code) = (payment.amount_minor, &payment.currency);
        report.hold(Invariant::Shares, same, || {
            format!("{} paid {paid} {code} for {}, not its total", payment.id, row.id)
        });
    }
    check_books(row, lines, currency, around, report, expected)
}

fn check_grants(row: &order::Model, lines: &[order_line::Model], around: &Around, report: &mut VerifyReport) {
    let grants: Vec<_> = around.grants.get(&row.id).into_iter().flatten().collect();
    let with_access = || lines.iter().filter(|line| line.grants_access);
    report.equal(&format!("the number of grants of {}", row.id), with_access().count(), grants.len());
    let open = grants.iter().any(|grant| grant.state == GrantState::Active);
    let given_back = around.later.is_whole(row);
    report.require(!(given_back && open), || format!("{} was given back whole, and yet its door is open", row.id));
    for line in with_access() {
        let Some(grant) = grants.iter().find(|grant| grant.line_no == line.line_no) else {
            report.require(false, || format!("line {} of {} is completed without a grant", line.line_no, row.id));
            continue;
        };
        let same = grant.listing_id == line.listing_id
            && grant.organization_id == row.buyer_id
            && grant.provider_id == line.provider_id
            && grant.licence_hash == line.licence_hash;
        report.require(same, || format!("{} grants something else than {} ordered", grant.id, row.id));
    }
}

/// The sale as the frozen order says it, and where each share stands since.
fn check_books(
    row: &order::Model,
    lines: &[order_line::Model],
    currency: Currency,
    around: &Around,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let deemed = row.tax_mode == TaxMode::DeemedSupplier;
    let (mut commission_minor, mut tax_minor) = (0, 0);
    let mut shares: BTreeMap<OrgId, i64> = BTreeMap::new();
    for line in lines {
        let owed_tax = if deemed { line.tax_minor } else { 0 };
        let parts = i128::from(line.operator_minor) + i128::from(line.provider_minor) + i128::from(owed_tax);
        let whole = i128::from(line.price_minor) + i128::from(line.tax_minor);
        report.same(Invariant::Shares, &format!("the parts of line {} of {}", line.line_no, row.id), whole, parts);
        let net = Money::new(line.price_minor, currency);
        let operator = u32::try_from(line.fee_bps).ok().and_then(|bps| net.share_bps(bps).ok());
        report.hold(Invariant::Shares, operator.is_some_and(|share| share.minor == line.operator_minor), || {
            let (part, bps) = (line.operator_minor, line.fee_bps);
            format!("the operator's part {part} of line {} of {} is not {bps} bps of its price", line.line_no, row.id)
        });
        commission_minor += line.operator_minor;
        tax_minor += owed_tax;
        *shares.entry(line.provider_id).or_default() += line.provider_minor;
    }
    let money = |minor| Money::new(minor, currency);
    expected.debit(&Account::ClearingPayment, money(row.total_minor));
    expected.credit(&Account::Commission, money(commission_minor));
    let mut legs = BTreeMap::from([
        (Account::ClearingPayment.id(currency), row.total_minor),
        (Account::Commission.id(currency), -commission_minor),
    ]);
    if let Some(account) = row.tax_country.clone().filter(|_| tax_minor != 0).map(Account::Vat) {
        expected.credit(&account, money(tax_minor));
        legs.insert(account.id(currency), -tax_minor);
    }
    for (org, share) in &shares {
        legs.insert(Account::ProviderPending(*org).id(currency), -share);
    }
    check_entry(row.id, &sale_of(row.id), legs, around, report);
    let ended = around.entries.contains_key(&hold_end_of(row.id));
    let runs = row.hold_ended_at.is_none();
    report.hold(Invariant::Shares, !(runs && ended), || {
        format!("the hold of {} is booked as ended, and yet it runs", row.id)
    });
    shares::check(row, lines, currency, &around.later, report, expected)
}

fn check_entry(
    order: OrderId,
    source: &str,
    mut legs: BTreeMap<entity::ids::LedgerAccountId, i64>,
    around: &Around,
    report: &mut VerifyReport,
) {
    legs.retain(|_, minor| *minor != 0);
    let booked = around.entries.get(source);
    if legs.is_empty() {
        report.hold(Invariant::Shares, booked.is_none(), || format!("{source} is booked, and yet nobody has a share"));
        return;
    }
    let Some(booked) = booked else {
        report.hold(Invariant::Shares, false, || format!("{source} is not booked"));
        return;
    };
    let mut found: BTreeMap<_, i64> = BTreeMap::new();
    for leg in booked {
        *found.entry(leg.account).or_default() += leg.minor;
    }
    let own = booked.iter().all(|leg| leg.order == Some(order));
    report.hold(Invariant::Shares, found == legs && own, || format!("{source} is not booked as the order says"));
}
