//! Setting debts off before a payout, in the transaction that decides it.

use std::collections::HashSet;

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutRunId},
    netting,
    states::EntryKind,
};
use sea_orm::{EntityTrait as _, IntoActiveModel as _};
use time::OffsetDateTime;
use torv_money::receivables;

use crate::{
    base::{Currency, Money},
    db::Tx,
    error::Result,
    ledger::{self, Account, Line, NewEntry},
    settlement::reversals,
};

/// Orders whose debt is looked at in one run.
const DEBTS_MAX: u64 = 2_000;

/// Sets a provider's debts off against its payable shares, and takes what was used off `payable`.
///
/// The caller holds the lock on the currency. Nothing is set off that a reversal may still take back.
pub async fn net(
    tx: &Tx,
    run: PayoutRunId,
    organization: OrgId,
    currency: Currency,
    payable: &mut Vec<(OrderId, Money)>,
    now: OffsetDateTime,
) -> Result<()> {
    let debt_account = Account::ProviderReceivable(organization);
    let debts = ledger::order_balances(tx.conn(), &debt_account, currency, DEBTS_MAX).await?;
    if debts.is_empty() {
        return Ok(());
    }
    let blocked = reversals::in_flight(tx.conn(), organization, currency.code()).await?;
    let all = receivables::set_off(payable, &debts, &blocked)?;
    if all.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::with_capacity(all.len() * 2);
    for one in &all {
        lines.push(Line::debit(Account::ProviderPayable(organization), one.amount).of(one.from));
        lines.push(Line::credit(debt_account.clone(), one.amount).of(one.debt));
        for (_, balance) in payable.iter_mut().filter(|(order, _)| *order == one.from) {
            *balance = balance.checked_add(one.amount)?;
        }
    }
    let source = format!("run:{run}:netting:{organization}:{currency}");
    ledger::post(tx, vec![NewEntry { kind: EntryKind::Netting, source, effective_at: now, memo: None, lines }], now)
        .await?;
    let rows = all.iter().map(|one| {
        let row = netting::Model {
            run_id: run,
            from_order_id: one.from,
            debt_order_id: one.debt,
            organization_id: organization,
            currency: currency.code().to_owned(),
            amount_minor: one.amount.minor,
            created_at: Timestamp(now),
        };
        row.into_active_model()
    });
    netting::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    payable.retain(|(_, balance)| !balance.is_zero());
    Ok(())
}

/// Leaves out shares that somebody asks back, or a bank decides about: they wait until that is decided.
pub fn without(payable: &mut Vec<(OrderId, Money)>, contested: &HashSet<OrderId>) {
    payable.retain(|(order, _)| !contested.contains(order));
}
