//! Where each provider's share of an order must stand, from what happened to the order since its sale.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    dispute, dispute_cost, fee_share,
    ids::{LedgerAccountId, OrderId, OrgId},
    ledger_account, netting, order, order_line, order_reduction, payout, payout_item, refund, reversal,
    states::{
        DisputeBearer, DisputeCostKind, DisputeState, PayoutRecipient, ReductionKind, RefundOrigin, RefundState,
        ReversalState, TaxMode, WriteOffState,
    },
    write_off,
};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _};

use super::{Expected, VerifyReport};
use crate::{
    base::{Currency, Invariant, Money},
    db::bulk::{Kind, List},
    error::Result,
    ledger::{self, Account},
    settlement::fee_shares,
    trade::{disputes, reductions},
};

/// Everything that happened to the orders of one page after their sale.
#[derive(Default)]
pub struct Later {
    reductions: HashMap<OrderId, Vec<order_reduction::Model>>,
    refunds: HashMap<OrderId, Vec<refund::Model>>,
    disputes: HashMap<OrderId, Vec<dispute::Model>>,
    reversals: HashMap<OrderId, Vec<reversal::Model>>,
    write_offs: HashMap<OrderId, Vec<write_off::Model>>,
    /// What payouts carried, by order and provider.
    carried: HashMap<(OrderId, OrgId), i64>,
    /// What was set off from a share, by order and provider.
    paid_with: HashMap<(OrderId, OrgId), i64>,
    /// What was set off of a debt, by order and provider.
    paid_off: HashMap<(OrderId, OrgId), i64>,
    /// What providers bear of the processor's fees.
    fees: HashMap<OrderId, Vec<fee_share::Model>>,
    /// What providers bear of lost disputes beyond their parts.
    costs: HashMap<OrderId, Vec<dispute_cost::Model>>,
    booked: HashMap<(OrderId, LedgerAccountId), i64>,
    /// Whose accounts hold something of an order.
    holders: HashMap<OrderId, BTreeSet<OrgId>>,
}

/// Reads it.
pub async fn load(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<Later> {
    let of = || ids.iter().copied();
    let mut later = Later {
        reductions: grouped(
            order_reduction::Entity::find().filter(order_reduction::Column::OrderId.is_in(of())).all(conn).await?,
            |row| row.order_id,
        ),
        refunds: grouped(refund::Entity::find().filter(refund::Column::OrderId.is_in(of())).all(conn).await?, |row| {
            row.order_id
        }),
        disputes: grouped(
            dispute::Entity::find().filter(dispute::Column::OrderId.is_in(of())).all(conn).await?,
            |row| row.order_id,
        ),
        reversals: grouped(
            reversal::Entity::find().filter(reversal::Column::OrderId.is_in(of())).all(conn).await?,
            |row| row.order_id,
        ),
        write_offs: grouped(
            write_off::Entity::find()
                .filter(write_off::Column::OrderId.is_in(of()))
                .filter(write_off::Column::State.eq(WriteOffState::Approved))
                .all(conn)
                .await?,
            |row| row.order_id,
        ),
        fees: fee_shares::of_orders(conn, ids).await?,
        costs: grouped(
            dispute_cost::Entity::find().filter(dispute_cost::Column::OrderId.is_in(of())).all(conn).await?,
            |row| row.order_id,
        ),
        booked: ledger::orders_sums(conn, ids).await?,
        ..Later::default()
    };
    for (order, provider, minor) in carried(conn, ids).await? {
        *later.carried.entry((order, provider)).or_default() += minor;
    }
    let from = netting::Entity::find().filter(netting::Column::FromOrderId.is_in(of())).all(conn).await?;
    for row in from {
        *later.paid_with.entry((row.from_order_id, row.organization_id)).or_default() += row.amount_minor;
    }
    let debts = netting::Entity::find().filter(netting::Column::DebtOrderId.is_in(of())).all(conn).await?;
    for row in debts {
        *later.paid_off.entry((row.debt_order_id, row.organization_id)).or_default() += row.amount_minor;
    }
    later.holders = holders(conn, &later.booked).await?;
    Ok(later)
}

/// Whose accounts hold something of each order: of the accounts that these orders touched, not of all there are.
async fn holders(
    conn: &impl ConnectionTrait,
    booked: &HashMap<(OrderId, LedgerAccountId), i64>,
) -> Result<HashMap<OrderId, BTreeSet<OrgId>>> {
    let touched: BTreeSet<LedgerAccountId> =
        booked.iter().filter(|(_, minor)| **minor != 0).map(|((_, account), _)| *account).collect();
    let touched = List::of(conn.get_database_backend(), Kind::Uuid, touched.into_iter().map(|id| id.0.into()))?;
    let owned: Vec<(LedgerAccountId, OrgId)> = ledger_account::Entity::find()
        .select_only()
        .columns([ledger_account::Column::Id, ledger_account::Column::OrganizationId])
        .filter(touched.contains("id"))
        .filter(ledger_account::Column::OrganizationId.is_not_null())
        .filter(ledger_account::Column::Code.starts_with("provider."))
        .into_tuple()
        .all(conn)
        .await?;
    let owners: HashMap<LedgerAccountId, OrgId> = owned.into_iter().collect();
    let mut holders: HashMap<OrderId, BTreeSet<OrgId>> = HashMap::new();
    for ((order, account), _) in booked.iter().filter(|(_, minor)| **minor != 0) {
        if let Some(owner) = owners.get(account) {
            holders.entry(*order).or_default().insert(*owner);
        }
    }
    Ok(holders)
}

async fn carried(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<Vec<(OrderId, OrgId, i64)>> {
    let to_payout =
        payout_item::Entity::belongs_to(payout::Entity).from(payout_item::Column::PayoutId).to(payout::Column::Id);
    Ok(payout_item::Entity::find()
        .select_only()
        .column(payout_item::Column::OrderId)
        .column(payout::Column::OrganizationId)
        .column(payout_item::Column::AmountMinor)
        .join(JoinType::InnerJoin, to_payout.into())
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Provider))
        .filter(payout_item::Column::OrderId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?)
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> OrderId) -> HashMap<OrderId, Vec<T>> {
    let mut of: HashMap<OrderId, Vec<T>> = HashMap::new();
    for row in rows {
        of.entry(key(&row)).or_default().push(row);
    }
    of
}

/// Refunds that take or took money of a decided sum, and are not undone.
fn is_booked(row: &refund::Model) -> bool {
    matches!(row.state, RefundState::Approved | RefundState::Submitted | RefundState::Paid)
}

impl Later {
    /// Refunds of payments that came when the order was closed.
    pub fn automatic(&self, order: OrderId) -> impl Iterator<Item = &refund::Model> {
        let all = self.refunds.get(&order).into_iter().flatten();
        all.filter(|row| row.origin == RefundOrigin::ClosedOrder)
    }

    /// Expects what refunds of payments without an order leave in clearing.
    pub fn expect_automatic(&self, order: OrderId, currency: Currency, expected: &mut Expected) {
        for row in self.automatic(order).filter(|row| is_booked(row)) {
            let amount = Money::new(row.amount_minor, currency);
            expected.debit(&Account::ClearingPayment, amount);
            expected.credit(&Account::ClearingRefund, amount);
        }
    }

    /// What refunds and lost disputes took for good, or an open dispute holds: at most what was paid.
    pub fn reduced_minor(&self, order: OrderId) -> i64 {
        self.active(order).map(|row| row.provider_minor + row.operator_minor + row.tax_minor).sum()
    }

    fn holders(&self, order: OrderId) -> impl Iterator<Item = OrgId> {
        self.holders.get(&order).into_iter().flatten().copied()
    }

    /// What is booked about an order on an account.
    pub fn booked_minor(&self, order: OrderId, account: &Account, currency: Currency) -> i64 {
        self.booked.get(&(order, account.id(currency))).copied().unwrap_or(0)
    }

    /// What refunds of an order that are decided and not undone amount to.
    pub fn refunded_minor(&self, order: OrderId) -> i64 {
        let all = self.refunds.get(&order).into_iter().flatten();
        all.filter(|row| is_booked(row)).map(|row| row.amount_minor).sum()
    }

    /// Of those, what went back by itself.
    pub fn automatic_minor(&self, order: OrderId) -> i64 {
        self.automatic(order).filter(|row| is_booked(row)).map(|row| row.amount_minor).sum()
    }

    /// The ids of an order's refunds.
    pub fn refund_ids(&self, order: OrderId) -> impl Iterator<Item = entity::ids::RefundId> {
        self.refunds.get(&order).into_iter().flatten().map(|row| row.id)
    }

    /// Reductions that were not undone.
    fn active(&self, order: OrderId) -> impl Iterator<Item = &order_reduction::Model> {
        self.reductions.get(&order).into_iter().flatten().filter(|row| row.undone_at.is_none())
    }

    fn dispute_state(&self, row: &order_reduction::Model) -> Option<DisputeState> {
        let all = self.disputes.get(&row.order_id).into_iter().flatten();
        all.filter(|dispute| dispute.id.0 == row.source_id).map(|dispute| dispute.state).next()
    }

    /// True when nothing that was paid is left: no door stays open then.
    pub fn is_whole(&self, row: &order::Model) -> bool {
        let open = self
            .active(row.id)
            .any(|part| part.kind == ReductionKind::Dispute && self.dispute_state(part) != Some(DisputeState::Lost));
        row.total_minor > 0 && !open && self.reduced_minor(row.id) == row.total_minor
    }
}

/// Checks what was taken off an order, and expects where each share stands since.
pub fn check(
    row: &order::Model,
    lines: &[order_line::Model],
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    later.expect_automatic(row.id, currency, expected);
    check_reductions(row, lines, later, report);
    check_whole(row, lines, later, report);
    check_splits(row, lines, later, report)?;
    check_strangers(row, lines, currency, later, report);
    expect_operator(row, lines, currency, later, report, expected);
    let mut shares: BTreeMap<OrgId, i64> = BTreeMap::new();
    for line in lines {
        *shares.entry(line.provider_id).or_default() += line.provider_minor;
    }
    for (org, share_minor) in shares {
        check_share(row, (org, share_minor), currency, later, report, expected);
    }
    Ok(())
}

/// No line gives back more than its parts, and each refund is the sum of what it takes.
fn check_reductions(row: &order::Model, lines: &[order_line::Model], later: &Later, report: &mut VerifyReport) {
    for line in lines {
        let of_line = || later.active(row.id).filter(|part| part.line_no == line.line_no);
        let provider: i64 = of_line().map(|part| part.provider_minor).sum();
        let operator: i64 = of_line().map(|part| part.operator_minor).sum();
        let good = provider <= line.provider_minor && operator <= line.operator_minor;
        report.hold(Invariant::Shares, good, || {
            format!("line {} of {} gives back more than its parts", line.line_no, row.id)
        });
    }
    let reduced = later.reduced_minor(row.id);
    report.hold(Invariant::Shares, reduced <= row.total_minor, || {
        format!("{} gives back {reduced} minor units, more than was paid", row.id)
    });
    for refund in later.refunds.get(&row.id).into_iter().flatten() {
        if refund.origin == RefundOrigin::ClosedOrder {
            continue;
        }
        let parts = later.active(row.id).filter(|part| part.source_id == refund.id.0);
        let taken: i64 = parts.map(|part| part.provider_minor + part.operator_minor + part.tax_minor).sum();
        let due = if is_booked(refund) { refund.amount_minor } else { 0 };
        report.same(Invariant::Shares, &format!("the sum of what {} takes", refund.id), due, taken);
    }
}

/// What is given back whole took exactly each part of each line.
fn check_whole(row: &order::Model, lines: &[order_line::Model], later: &Later, report: &mut VerifyReport) {
    if row.total_minor == 0 || later.reduced_minor(row.id) != row.total_minor {
        return;
    }
    let deemed = row.tax_mode == TaxMode::DeemedSupplier;
    for line in lines {
        let of_line = || later.active(row.id).filter(|part| part.line_no == line.line_no);
        let taken: (i64, i64, i64) = (
            of_line().map(|part| part.provider_minor).sum(),
            of_line().map(|part| part.operator_minor).sum(),
            of_line().map(|part| part.tax_minor).sum(),
        );
        let parts = (line.provider_minor, line.operator_minor, if deemed { line.tax_minor } else { 0 });
        report.hold(Invariant::WholeRefunds, taken == parts, || {
            format!("{} was given back whole, and line {} gave {taken:?} of {parts:?}", row.id, line.line_no)
        });
    }
}

/// Each reduction took of each party what the cumulative split says, given those that were there before it.
fn check_splits(
    row: &order::Model,
    lines: &[order_line::Model],
    later: &Later,
    report: &mut VerifyReport,
) -> Result<()> {
    let mut sources: BTreeMap<_, Vec<&order_reduction::Model>> = BTreeMap::new();
    for part in later.reductions.get(&row.id).into_iter().flatten() {
        sources.entry((part.created_at, part.source_id)).or_default().push(part);
        let seller = lines.iter().find(|line| line.line_no == part.line_no).map(|line| line.provider_id);
        report.hold(Invariant::Shares, seller == Some(part.provider_id), || {
            format!(
                "{} was asked to give back line {} of {}, which it did not sell",
                part.provider_id, part.line_no, row.id
            )
        });
    }
    // Of what was decided at the same instant nobody can tell which came first.
    let moments: Vec<_> = sources.keys().map(|(at, _)| *at).collect();
    let parts: Vec<&order_reduction::Model> = sources.values().flatten().copied().collect();
    for ((at, source), of) in &sources {
        let apart = moments.iter().filter(|moment| *moment == at).count() == 1
            && parts.iter().all(|part| part.undone_at != Some(*at));
        let before =
            parts.iter().copied().filter(|part| part.created_at < *at && part.undone_at.is_none_or(|end| end > *at));
        let good = !apart || reductions::is_split(row, lines, before, of.iter().copied())?;
        report.hold(Invariant::Shares, good, || {
            format!("the parts of {} that {source} took are not the split of its amount", row.id)
        });
    }
    Ok(())
}

/// No provider's account holds anything of an order that it has no line of.
fn check_strangers(
    row: &order::Model,
    lines: &[order_line::Model],
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
) {
    for stranger in later.holders(row.id).filter(|org| lines.iter().all(|line| line.provider_id != *org)) {
        report.hold(Invariant::Shares, false, || {
            format!("{stranger} has something of {} in {currency}, and sold nothing of it", row.id)
        });
    }
}

/// The operator's share and tax, what waits in clearing for refunds, and what disputes hold or cost.
fn expect_operator(
    row: &order::Model,
    lines: &[order_line::Model],
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
    expected: &mut Expected,
) {
    let money = |minor| Money::new(minor, currency);
    let vat = row.tax_country.clone().map(Account::Vat);
    for part in later.active(row.id) {
        let is_lost = later.dispute_state(part) == Some(DisputeState::Lost);
        if part.kind == ReductionKind::Refund || is_lost {
            let keeps = part.bearer == Some(DisputeBearer::Provider);
            expected.debit(&Account::Commission, money(if keeps { 0 } else { part.operator_minor }));
            if let Some(account) = vat.as_ref().filter(|_| part.tax_minor != 0) {
                expected.debit(account, money(part.tax_minor));
            }
        }
    }
    for refund in later.refunds.get(&row.id).into_iter().flatten() {
        if is_booked(refund) && refund.origin != RefundOrigin::ClosedOrder {
            expected.credit(&Account::ClearingRefund, money(refund.amount_minor));
        }
    }
    expect_disputes(row, lines, currency, later, report, expected);
}

/// What disputes hold or cost. Of an order that is not completed nobody has a share, so all of it is the operator's.
pub fn expect_disputes(
    row: &order::Model,
    lines: &[order_line::Model],
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
    expected: &mut Expected,
) {
    for dispute in later.disputes.get(&row.id).into_iter().flatten() {
        let held = later.active(row.id).any(|part| part.source_id == dispute.id.0);
        let is_warning = dispute.state == DisputeState::Warning;
        report.hold(Invariant::Shares, !(is_warning && held), || {
            format!("{} is a mere warning, and yet it holds a share", dispute.id)
        });
        if dispute.state == DisputeState::Lost {
            expected.credit(&Account::DisputeHold, Money::new(dispute.amount_minor, currency));
            expect_loss(dispute, lines, currency, later, report, expected);
        }
    }
}

/// What a lost dispute costs beyond each party's part, from whom it was agreed to bear it.
fn expect_loss(
    dispute: &dispute::Model,
    lines: &[order_line::Model],
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
    expected: &mut Expected,
) {
    let parts = later.active(dispute.order_id).filter(|part| part.source_id == dispute.id.0);
    let parts: Vec<_> = parts.cloned().collect();
    let Ok(loss) = disputes::loss_of(lines, &parts, dispute.amount_minor) else {
        report.require(false, || format!("{} takes amounts out of range", dispute.id));
        return;
    };
    expected.debit(&Account::DisputeLoss, Money::new(loss.operator_minor, currency));
    let of = |kind: DisputeCostKind| -> BTreeMap<OrgId, i64> {
        let all = later.costs.get(&dispute.order_id).into_iter().flatten();
        let mine = all.filter(|cost| cost.dispute_id == dispute.id && cost.kind == kind);
        mine.map(|cost| (cost.organization_id, cost_of(cost))).collect()
    };
    let same = of(DisputeCostKind::Loss) == loss.providers;
    report.require(same, || format!("providers bear something else of {} than their orders say", dispute.id));
    let fees: i64 = of(DisputeCostKind::Fee).values().sum();
    expected.credit(&Account::DisputeFees, Money::new(fees, currency));
}

fn cost_of(cost: &dispute_cost::Model) -> i64 {
    cost.pending_minor + cost.payable_minor + cost.receivable_minor
}

/// One provider's share: what is held, pending, payable and owed, each in the books as it must be.
fn check_share(
    row: &order::Model,
    (org, share_minor): (OrgId, i64),
    currency: Currency,
    later: &Later,
    report: &mut VerifyReport,
    expected: &mut Expected,
) {
    let key = (row.id, org);
    let of = |map: &HashMap<(OrderId, OrgId), i64>| map.get(&key).copied().unwrap_or(0);
    let mine = || later.active(row.id).filter(|part| part.provider_id == org);
    let is_open = |part: &&order_reduction::Model| {
        part.kind == ReductionKind::Dispute && later.dispute_state(part) != Some(DisputeState::Lost)
    };
    let fees = || later.fees.get(&row.id).into_iter().flatten().filter(|fee| fee.organization_id == org);
    let borne: i64 = fees().map(|fee| fee.pending_minor + fee.payable_minor + fee.receivable_minor).sum();
    let costs = || later.costs.get(&row.id).into_iter().flatten().filter(|cost| cost.organization_id == org);
    let lost = |part: &order_reduction::Model| match part.bearer {
        Some(DisputeBearer::Operator) => 0,
        _ => part.provider_minor,
    };
    let taken: i64 = borne + mine().map(lost).sum::<i64>() + costs().map(cost_of).sum::<i64>();
    let held: i64 = mine().filter(is_open).map(|part| part.provider_minor).sum();
    let all = later.reductions.get(&row.id).into_iter().flatten().filter(|part| part.provider_id == org);
    let fee_debts: i64 = fees().map(|fee| fee.receivable_minor).sum();
    let cost_debts: i64 = costs().map(|cost| cost.receivable_minor).sum();
    let debts: i64 = fee_debts + cost_debts + all.map(|part| part.debt_minor - part.undone_debt_minor).sum::<i64>();
    let came_back: i64 = later
        .reversals
        .get(&row.id)
        .into_iter()
        .flatten()
        .filter(|reversal| reversal.organization_id == org && reversal.state == ReversalState::Done)
        .map(|reversal| reversal.amount_minor)
        .sum();
    let given_up: i64 = later
        .write_offs
        .get(&row.id)
        .into_iter()
        .flatten()
        .filter(|one| one.organization_id == org)
        .map(|one| one.amount_minor)
        .sum();
    let (carried, paid_with, paid_off) = (of(&later.carried), of(&later.paid_with), of(&later.paid_off));
    let debt = debts - came_back - paid_off - given_up;
    let net = share_minor - taken - carried - paid_with + came_back + paid_off + given_up;
    let runs = row.hold_ended_at.is_none();
    let (pending, payable) = if runs { (net + debt, 0) } else { (0, net + debt) };
    report.hold(Invariant::Shares, came_back <= carried, || {
        format!("more of {} came back from {org} than was paid out", row.id)
    });
    report.hold(Invariant::Shares, carried - came_back <= share_minor, || {
        format!("{org} was paid more of {} than its share", row.id)
    });
    // While the hold runs only a fee, or a lost dispute that the provider bears, can cost more than is left of its share.
    let untouched = carried == 0 && paid_with == 0 && debt <= borne + cost_debts;
    report.hold(Invariant::Shares, !runs || untouched, || format!("{} was paid out during its hold", row.id));
    let money = |minor| Money::new(minor, currency);
    let ought = [
        (Account::ProviderPending(org), -pending),
        (Account::ProviderPayable(org), -payable),
        (Account::ProviderDisputeHeld(org), -held),
        (Account::ProviderReceivable(org), debt),
    ];
    for (account, minor) in ought {
        let found = later.booked.get(&(row.id, account.id(currency))).copied().unwrap_or(0);
        report.same(Invariant::Shares, &format!("what {account} holds of {} (minor units)", row.id), minor, found);
        let wrong_side = if matches!(account, Account::ProviderReceivable(_)) { minor < 0 } else { minor > 0 };
        report.hold(Invariant::NothingNegative, !wrong_side, || {
            format!("{account} is on the wrong side about {}", row.id)
        });
        expected.debit(&account, money(minor));
    }
    expected.debit(&Account::WriteOffs, money(given_up));
}
