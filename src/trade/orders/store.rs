//! Orders and their lines in the database.

use std::collections::HashMap;

use entity::{
    Timestamp, grant,
    ids::{GrantId, ListingId, OrderId, OrgId, SubscriptionId},
    order, order_line,
    states::{OrderState, TaxMode},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Query},
};
use time::OffsetDateTime;

use crate::{
    base::{Currency, Money},
    db::Tx,
    error::{Error, Result},
    ledger::Account,
};

/// An order with its line: everything that was frozen when it was placed.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderFacts {
    /// The order.
    pub order: order::Model,
    /// Its first line.
    pub line: order_line::Model,
    /// The further lines of a bundle, in their order.
    pub more: Vec<order_line::Model>,
}

impl OrderFacts {
    /// All lines, in their order.
    pub fn lines(&self) -> impl Iterator<Item = &order_line::Model> {
        std::iter::once(&self.line).chain(&self.more)
    }

    /// True when `org` sells something of it.
    pub fn is_sold_by(&self, org: OrgId) -> bool {
        self.lines().any(|line| line.provider_id == org)
    }

    /// Who sells something of it, each once, in the order of the lines.
    pub fn providers(&self) -> Vec<OrgId> {
        let mut providers = Vec::new();
        for line in self.lines() {
            if !providers.contains(&line.provider_id) {
                providers.push(line.provider_id);
            }
        }
        providers
    }

    /// Puts an order and its lines together; nothing without a line.
    pub(super) fn new(order: order::Model, mut lines: Vec<order_line::Model>) -> Option<Self> {
        lines.sort_unstable_by_key(|line| line.line_no);
        let mut lines = lines.into_iter();
        let line = lines.next()?;
        Some(Self { order, line, more: lines.collect() })
    }

    /// What the buyer pays.
    ///
    /// # Errors
    /// Internal, for a currency that was supported once and is no more.
    pub fn total(&self) -> Result<Money> {
        let currency: Currency =
            self.order.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))?;
        Ok(Money::new(self.order.total_minor, currency))
    }

    /// Refuses an order whose time is over, whether or not the sweep has closed it already.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn require_in_time(&self, now: OffsetDateTime) -> Result<()> {
        if self.order.expires_at.0 > now {
            return Ok(());
        }
        Err(Error::conflict("The time in which this order could be approved or paid is over. Order again."))
    }

    /// Where the tax of this sale is owed by the operator; nothing where there is none, or the provider owes it.
    pub fn tax_account(&self) -> Option<Account> {
        let owes = self.order.tax_mode == TaxMode::DeemedSupplier && self.order.tax_minor != 0;
        self.order.tax_country.clone().filter(|_| owes).map(Account::Vat)
    }

    /// True when there is nothing to pay.
    pub fn is_free(&self) -> bool {
        self.order.total_minor == 0
    }
}

/// Writes several orders in one statement per table.
pub(in crate::trade) async fn insert_all<'a>(tx: &Tx, all: impl Iterator<Item = &'a OrderFacts>) -> Result<()> {
    let (mut orders, mut lines) = (Vec::new(), Vec::new());
    for facts in all {
        orders.push(facts.order.clone().into_active_model());
        lines.extend(facts.lines().cloned().map(order_line::Model::into_active_model));
    }
    order::Entity::insert_many(orders).exec_without_returning(tx.conn()).await?;
    order_line::Entity::insert_many(lines).exec_without_returning(tx.conn()).await?;
    Ok(())
}

async fn with_lines(conn: &impl ConnectionTrait, orders: Vec<order::Model>) -> Result<Vec<OrderFacts>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(ids)).all(conn).await?;
    let mut of: HashMap<OrderId, Vec<order_line::Model>> = HashMap::new();
    for line in lines {
        of.entry(line.order_id).or_default().push(line);
    }
    orders
        .into_iter()
        .map(|order| {
            let (id, lines) = (order.id, of.remove(&order.id).unwrap_or_default());
            OrderFacts::new(order, lines).ok_or_else(|| Error::internal(format!("{id} has no line")))
        })
        .collect()
}

/// Several orders by their ids alone, in one statement.
pub(in crate::trade) async fn load_all(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<Vec<OrderFacts>> {
    let found = order::Entity::find().filter(order::Column::Id.is_in(ids.iter().copied())).also_lines(conn);
    found.await
}

/// An order by its id alone, for the exchange's own work; requests use [`find_party`].
pub(in crate::trade) async fn load(conn: &impl ConnectionTrait, id: OrderId) -> Result<OrderFacts> {
    load_all(conn, &[id]).await?.pop().ok_or_else(|| Error::not_found("order"))
}

/// The orders that followed from a subscription.
pub(in crate::trade) async fn of_subscription(
    conn: &impl ConnectionTrait,
    id: SubscriptionId,
) -> Result<Vec<OrderFacts>> {
    order::Entity::find().filter(order::Column::SubscriptionId.eq(id)).also_lines(conn).await
}

trait WithLine {
    async fn also_lines(self, conn: &impl ConnectionTrait) -> Result<Vec<OrderFacts>>;
}

impl WithLine for sea_orm::Select<order::Entity> {
    async fn also_lines(self, conn: &impl ConnectionTrait) -> Result<Vec<OrderFacts>> {
        let relation: sea_orm::RelationDef = order::Entity::belongs_to(order_line::Entity)
            .from(order::Column::Id)
            .to(order_line::Column::OrderId)
            .into();
        let rows = self.join(sea_orm::JoinType::InnerJoin, relation).select_also(order_line::Entity).all(conn).await?;
        let mut of: HashMap<OrderId, (order::Model, Vec<order_line::Model>)> = HashMap::new();
        for (order, line) in rows {
            of.entry(order.id).or_insert_with(|| (order, Vec::new())).1.extend(line);
        }
        Ok(of.into_values().filter_map(|(order, lines)| OrderFacts::new(order, lines)).collect())
    }
}

/// Locks an order for a decision; others that decide about it wait.
pub(in crate::trade) async fn lock(tx: &Tx, id: OrderId) -> Result<OrderFacts> {
    let locked = order::Entity::find_by_id(id).lock_exclusive().one(tx.conn()).await?;
    let order = locked.ok_or_else(|| Error::not_found("order"))?;
    with_lines(tx.conn(), vec![order]).await?.pop().ok_or_else(|| Error::not_found("order"))
}

/// Completes several orders that wait for their payment, in one statement; false when one stood elsewhere,
/// and then the transaction has to be given up.
pub(in crate::trade) async fn complete_all(tx: &Tx, all: &[&OrderFacts], now: OffsetDateTime) -> Result<bool> {
    let updated = order::Entity::update_many()
        .col_expr(order::Column::State, Expr::value(OrderState::Completed))
        .col_expr(order::Column::ClosedAt, Expr::value(Some(Timestamp(now))))
        .filter(order::Column::Id.is_in(all.iter().map(|facts| facts.order.id)))
        .filter(order::Column::State.eq(OrderState::AwaitingPayment))
        .exec(tx.conn())
        .await?;
    Ok(usize::try_from(updated.rows_affected).is_ok_and(|rows| rows == all.len()))
}

/// Moves an order from one state to another; false when it stood elsewhere.
pub(in crate::trade) async fn advance(
    tx: &Tx,
    id: OrderId,
    from: OrderState,
    to: OrderState,
    now: OffsetDateTime,
) -> Result<bool> {
    let closed = !matches!(to, OrderState::AwaitingApproval | OrderState::AwaitingPayment);
    let closed_at = closed.then_some(Timestamp(now));
    let updated = order::Entity::update_many()
        .col_expr(order::Column::State, Expr::value(to))
        .col_expr(order::Column::ClosedAt, Expr::value(closed_at))
        .filter(order::Column::Id.eq(id))
        .filter(order::Column::State.eq(from))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Notes a provider's decision, and until when the next step may be taken.
pub(super) async fn note_decision(
    tx: &Tx,
    id: OrderId,
    note: Option<String>,
    expires_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<()> {
    let row =
        order::ActiveModel { decided_at: Set(Some(Timestamp(now))), decision_note: Set(note), ..Default::default() };
    let mut update = order::Entity::update_many().set(row).filter(order::Column::Id.eq(id));
    if let Some(at) = expires_at {
        update = update.col_expr(order::Column::ExpiresAt, Expr::value(Timestamp(at)));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Gives an order time until `until`, unless it has more already.
pub(in crate::trade) async fn extend(tx: &Tx, id: OrderId, until: OffsetDateTime) -> Result<()> {
    order::Entity::update_many()
        .col_expr(order::Column::ExpiresAt, Expr::value(Timestamp(until)))
        .filter(order::Column::Id.eq(id))
        .filter(order::Column::ExpiresAt.lt(Timestamp(until)))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Open orders whose time is over, oldest first, from the one `after` on.
pub(super) async fn overdue(
    conn: &impl ConnectionTrait,
    now: OffsetDateTime,
    after: Option<(Timestamp, OrderId)>,
    limit: u64,
) -> Result<Vec<(Timestamp, OrderId)>> {
    use order::Column::{ExpiresAt, Id};
    let beyond = after.map_or_else(Condition::all, |(at, id)| {
        Condition::any().add(ExpiresAt.gt(at)).add(Condition::all().add(ExpiresAt.eq(at)).add(Id.gt(id)))
    });
    Ok(order::Entity::find()
        .select_only()
        .columns([ExpiresAt, Id])
        .filter(beyond)
        .filter(order::Column::State.is_in([OrderState::AwaitingApproval, OrderState::AwaitingPayment]))
        .filter(ExpiresAt.lte(Timestamp(now)))
        .order_by_asc(ExpiresAt)
        .order_by_asc(Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Which orders to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Orders this organisation placed, or those for its listings.
    pub buyer: Option<OrgId>,
    pub provider: Option<OrgId>,
    pub state: Option<OrderState>,
    pub listing: Option<ListingId>,
    pub before: Option<OrderId>,
}

pub(super) async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: usize) -> Result<Vec<OrderFacts>> {
    let mut lines = Query::select().column(order_line::Column::OrderId).from(order_line::Entity).to_owned();
    if let Some(provider) = wanted.provider {
        lines.and_where(Expr::col(order_line::Column::ProviderId).eq(provider.0));
    }
    if let Some(listing) = wanted.listing {
        lines.and_where(Expr::col(order_line::Column::ListingId).eq(listing.0));
    }
    let mut query =
        order::Entity::find().order_by_desc(order::Column::Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if wanted.provider.is_some() || wanted.listing.is_some() {
        query = query.filter(order::Column::Id.in_subquery(lines));
    }
    if let Some(buyer) = wanted.buyer {
        query = query.filter(order::Column::BuyerId.eq(buyer));
    }
    if let Some(state) = wanted.state {
        query = query.filter(order::Column::State.eq(state));
    }
    if let Some(before) = wanted.before {
        query = query.filter(order::Column::Id.lt(before));
    }
    with_lines(conn, query.all(conn).await?).await
}

/// The grants of these orders, by order and line.
pub(super) async fn grants_of(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<Vec<((OrderId, i32), GrantId)>> {
    let found: Vec<(OrderId, i32, GrantId)> = grant::Entity::find()
        .select_only()
        .columns([grant::Column::OrderId, grant::Column::LineNo, grant::Column::Id])
        .filter(grant::Column::OrderId.is_in(orders.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(found.into_iter().map(|(order, line, grant)| ((order, line), grant)).collect())
}

/// Whom an order is between, as far as they are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// The listing of its first line.
    pub listing: ListingId,
    /// Who sells something of it, each once.
    pub sellers: Vec<OrgId>,
}

/// Whom these orders are between; one statement.
///
/// # Errors
/// Those of the database.
pub async fn parties(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<HashMap<OrderId, Parties>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let lines: Vec<(OrderId, ListingId, OrgId)> = order_line::Entity::find()
        .select_only()
        .columns([order_line::Column::OrderId, order_line::Column::ListingId, order_line::Column::ProviderId])
        .filter(order_line::Column::OrderId.is_in(ids.iter().copied()))
        .order_by_asc(order_line::Column::OrderId)
        .order_by_asc(order_line::Column::LineNo)
        .into_tuple()
        .all(conn)
        .await?;
    let mut found = HashMap::new();
    for (order, listing, seller) in lines {
        let parties: &mut Parties = found.entry(order).or_insert_with(|| Parties { listing, sellers: Vec::new() });
        if !parties.sellers.contains(&seller) {
            parties.sellers.push(seller);
        }
    }
    Ok(found)
}
