//! Yearly figures of each provider for reporting by platforms, from the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::{EntryId, OrderId, OrgId},
    ledger_account, ledger_entry, order_line, posting,
    states::EntryKind,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef, RelationTrait as _, sea_query::ExprTrait as _,
};
use time::{Date, Month, OffsetDateTime, Time};
use torv_documents::{
    dpi::{Quarter, Seller, SellerYear, to_csv},
    tax::Country,
};

use super::currency_of;
use crate::{
    base::{Currency, MoneyError, allocate},
    error::{Error, Result},
    people::tax_profiles::{self, TaxProfile},
    settlement::currency,
    state::AppState,
};

/// Postings read in one go.
const PAGE_ROWS: u64 = 1_000;
/// The first and last year that is asked for.
const YEARS: std::ops::RangeInclusive<i32> = 2020..=2100;

/// Kinds that pay or collect what is owed; all others change what a provider has earned.
const SETTLING: [EntryKind; 5] =
    [EntryKind::Transfer, EntryKind::PayoutFailure, EntryKind::Reversal, EntryKind::Netting, EntryKind::WriteOff];

type Figures = BTreeMap<(OrgId, Currency), [Quarter; 4]>;

/// A year as CSV: one row per provider and currency.
///
/// The consideration of a quarter is what the provider's accounts were credited by sales less what refunds and lost
/// disputes took, by effective time; the fees are the commission account's postings. Those of an order of several
/// providers are told apart by their frozen shares.
///
/// # Errors
/// `Invalid` for a year out of range; those of the database.
pub async fn extract(app: &AppState, year: i32) -> Result<Vec<u8>> {
    if !YEARS.contains(&year) {
        let detail = format!("Give a year from {} to {}.", YEARS.start(), YEARS.end());
        return Err(Error::invalid("year", detail));
    }
    let conn = app.db.read();
    let mut figures = Figures::new();
    for quarter in 0..4 {
        let (from, until) = (quarter_begin(year, quarter)?, quarter_begin(year, quarter + 1)?);
        considerations(conn, from, until, quarter, &mut figures).await?;
        fees(conn, from, until, quarter, &mut figures).await?;
    }
    let orgs: Vec<OrgId> = figures.keys().map(|(org, _)| *org).collect();
    let profiles = tax_profiles::known_at(conn, &orgs, app.clock.now()).await?;
    let mut rows = Vec::with_capacity(figures.len());
    for ((org, currency), quarters) in figures {
        let known = profiles.get(&org).ok_or_else(|| Error::internal(format!("no profile of {org}")))?;
        rows.push(SellerYear { seller: seller(org, &known.profile)?, currency: currency_of(currency)?, quarters });
    }
    to_csv(year, &rows).map_err(Error::internal)
}

fn quarter_begin(year: i32, quarter: usize) -> Result<Timestamp> {
    let months = [Month::January, Month::April, Month::July, Month::October];
    let (year, month) = months.get(quarter).map_or((year + 1, Month::January), |month| (year, *month));
    let day = Date::from_calendar_date(year, month, 1).map_err(Error::internal)?;
    Ok(Timestamp(OffsetDateTime::new_utc(day, Time::MIDNIGHT)))
}

fn seller(id: OrgId, profile: &TaxProfile) -> Result<Seller> {
    let address = &profile.address;
    let parts = [Some(&address.street), address.street_2.as_ref(), Some(&address.postal_code), Some(&address.city)];
    let address: Vec<&str> = parts.into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let country = |code: &str| Country::parse(code).map_err(Error::internal);
    let tin = match (&profile.tin, &profile.tin_country) {
        (Some(tin), Some(code)) => Some((tin.clone(), country(code)?)),
        _ => None,
    };
    Ok(Seller {
        id: id.to_string(),
        is_entity: profile.is_business,
        name: profile.legal_name.clone(),
        address: address.join(", "),
        country: country(&profile.country)?,
        tin,
        vat_id: profile.vat_id.clone(),
        legal_id: profile.legal_id.as_ref().map(|id| id.value.clone()),
        birth_date: profile.birth_date,
    })
}

#[derive(Debug, FromQueryResult)]
struct Posted {
    entry_id: EntryId,
    seq: i32,
    organization_id: Option<OrgId>,
    order_id: Option<OrderId>,
    currency: String,
    amount_minor: i64,
    kind: EntryKind,
}

fn entry_of() -> RelationDef {
    posting::Relation::LedgerEntry.def()
}

fn account_of() -> RelationDef {
    posting::Relation::LedgerAccount.def()
}

/// A page of the postings of a period on providers' accounts, or on the commission's.
async fn page(
    conn: &impl ConnectionTrait,
    codes: &str,
    (from, until): (Timestamp, Timestamp),
    after: Option<(EntryId, i32)>,
) -> Result<Vec<Posted>> {
    use posting::Column::{AmountMinor, Currency, EntryId, OrderId, Seq};
    let mut query = posting::Entity::find()
        .select_only()
        .columns([EntryId, Seq, OrderId, Currency, AmountMinor])
        .column(ledger_account::Column::OrganizationId)
        .column(ledger_entry::Column::Kind)
        .join(JoinType::InnerJoin, entry_of())
        .join(JoinType::InnerJoin, account_of())
        .filter(ledger_account::Column::Code.like(codes))
        .filter(ledger_entry::Column::EffectiveAt.gte(from))
        .filter(ledger_entry::Column::EffectiveAt.lt(until))
        .filter(ledger_entry::Column::Kind.is_not_in(SETTLING))
        .order_by_asc(EntryId)
        .order_by_asc(Seq)
        .limit(PAGE_ROWS);
    if let Some((entry, seq)) = after {
        query = query.filter(EntryId.gt(entry).or(EntryId.eq(entry).and(Seq.gt(seq))));
    }
    let mut rows: Vec<Posted> = query.into_model().all(conn).await?;
    let split = rows.last().map(|row| row.entry_id).filter(|_| rows.len() as u64 == PAGE_ROWS);
    if rows.first().map(|row| row.entry_id) != split {
        // The last entry may go on in the next page: it is left to it whole.
        rows.retain(|row| Some(row.entry_id) != split);
    }
    Ok(rows)
}

fn add(sum: &mut i64, amount: i64) -> Result<(), MoneyError> {
    *sum = sum.checked_add(amount).ok_or(MoneyError::Overflow)?;
    Ok(())
}

async fn considerations(
    conn: &impl ConnectionTrait,
    from: Timestamp,
    until: Timestamp,
    quarter: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut after = None;
    loop {
        let rows = page(conn, "provider.%", (from, until), after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.entry_id, last.seq));
        let mut sales = BTreeSet::new();
        for row in rows {
            let Some(org) = row.organization_id else { continue };
            let quarters = figures.entry((org, currency(&row.currency)?)).or_default();
            let Some(figure) = quarters.get_mut(quarter) else { continue };
            add(&mut figure.consideration_minor, row.amount_minor.checked_neg().ok_or(MoneyError::Overflow)?)?;
            // Several lines of one order are one sale.
            if row.kind == EntryKind::Sale && sales.insert((row.entry_id, org)) {
                figure.activities += 1;
            }
        }
    }
}

async fn fees(
    conn: &impl ConnectionTrait,
    from: Timestamp,
    until: Timestamp,
    quarter: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut after = None;
    loop {
        let rows = page(conn, "commission", (from, until), after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some((last.entry_id, last.seq));
        let shares = operator_shares(conn, &rows).await?;
        for entry in rows.chunk_by(|a, b| (a.entry_id, a.order_id) == (b.entry_id, b.order_id)) {
            let Some(row) = entry.first() else { continue };
            let Some(weights) = row.order_id.and_then(|order| shares.get(&order)) else { continue };
            let currency = currency(&row.currency)?;
            let mut amount = 0;
            entry.iter().try_for_each(|row| add(&mut amount, row.amount_minor))?;
            for (org, fee) in apportion(amount, weights)? {
                let quarters = figures.entry((org, currency)).or_default();
                if let Some(figure) = quarters.get_mut(quarter) {
                    add(&mut figure.fees_minor, fee)?;
                }
            }
        }
    }
}

/// The operator's frozen share of each provider's lines.
async fn operator_shares(
    conn: &impl ConnectionTrait,
    rows: &[Posted],
) -> Result<HashMap<OrderId, BTreeMap<OrgId, i64>>> {
    let orders = rows.iter().filter_map(|row| row.order_id);
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(orders)).all(conn).await?;
    let mut of: HashMap<OrderId, BTreeMap<OrgId, i64>> = HashMap::new();
    for line in lines {
        add(of.entry(line.order_id).or_default().entry(line.provider_id).or_default(), line.operator_minor)?;
    }
    Ok(of)
}

/// A posting of the commission account as fees of its order's providers; credits are fees.
fn apportion(amount_minor: i64, weights: &BTreeMap<OrgId, i64>) -> Result<Vec<(OrgId, i64)>, MoneyError> {
    let size = amount_minor.checked_abs().ok_or(MoneyError::Overflow)?;
    let by_weight: Vec<u64> = weights.values().map(|weight| u64::try_from(*weight).unwrap_or(0)).collect();
    let parts = allocate::split(size, &by_weight)?;
    let sign = if amount_minor > 0 { -1 } else { 1 };
    Ok(weights.keys().copied().zip(parts.into_iter().map(|part| sign * part)).collect())
}
