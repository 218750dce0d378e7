//! The stages of a dispute, and which may follow which.

use std::collections::BTreeMap;

use entity::{
    dispute,
    ids::{DisputeId, OrderId, OrgId},
    order_line, order_reduction,
    states::{DisputeBearer, DisputeState},
};

use crate::{
    base::{MoneyError, allocate},
    error::{Error, Result},
    ports::payments::DisputeStage,
};

/// States in which the bank has not decided.
pub const OPEN: [DisputeState; 2] = [DisputeState::NeedsResponse, DisputeState::UnderReview];
/// How often the processor is asked about an open dispute.
pub const POLL_SECONDS: i64 = 600;

/// The state that a stage at the processor means.
pub const fn state_of(stage: DisputeStage) -> DisputeState {
    match stage {
        DisputeStage::Warning => DisputeState::Warning,
        DisputeStage::NeedsResponse => DisputeState::NeedsResponse,
        DisputeStage::UnderReview => DisputeState::UnderReview,
        DisputeStage::Won => DisputeState::Won,
        DisputeStage::Lost => DisputeState::Lost,
    }
}

/// How far a dispute has come: one never goes back, whatever order events arrive in.
const fn rank(state: DisputeState) -> u8 {
    match state {
        DisputeState::Warning => 0,
        DisputeState::NeedsResponse => 1,
        DisputeState::UnderReview => 2,
        DisputeState::Won | DisputeState::Lost => 3,
    }
}

/// True when `to` is further than `from`. What was won or lost stays so.
pub const fn is_forward(from: DisputeState, to: DisputeState) -> bool {
    rank(to) > rank(from)
}

/// Requires that evidence is still waited for.
///
/// # Errors
/// `Conflict`, with where the dispute stands.
pub fn require_answerable(row: &dispute::Model) -> Result<()> {
    if row.state == DisputeState::NeedsResponse && row.evidence_submitted_at.is_none() {
        return Ok(());
    }
    let state = row.state.as_str().replace('_', " ");
    Err(Error::conflict(format!("Evidence can't be given any more: the dispute is {state}.")))
}

/// The business event of a step of a dispute: `opened`, `won`, `lost`.
pub fn event(order: OrderId, id: DisputeId, step: &str) -> String {
    format!("order:{order}:dispute:{id}:{step}")
}

/// Why a grant ended with an open dispute; what is won opens it again.
pub fn suspension(id: DisputeId) -> String {
    format!("disputed in {id}")
}

/// Why a grant ended with a lost dispute.
pub fn loss(id: DisputeId) -> String {
    format!("{id} was lost")
}

/// What a lost dispute over `amount_minor` costs beyond the parts of the providers, and who bears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What providers bear besides their own parts.
    pub providers: BTreeMap<OrgId, i64>,
    /// What the operator bears besides its own part: parts that providers keep, and what no share is left for.
    pub operator_minor: i64,
}

/// Who bears what of a lost dispute, besides each party's own part, which `parts` say.
///
/// What no share is left for (the bank takes what was refunded once more) is spread over all lines by what was paid
/// for them, and goes where the loss of the line goes.
///
/// # Errors
/// [`MoneyError`] for amounts out of range.
pub fn loss_of(
    lines: &[order_line::Model],
    parts: &[order_reduction::Model],
    amount_minor: i64,
) -> Result<Loss, MoneyError> {
    let mut explained = 0_i64;
    for part in parts {
        for minor in [part.provider_minor, part.operator_minor, part.tax_minor] {
            explained = explained.checked_add(minor).ok_or(MoneyError::Overflow)?;
        }
    }
    let unexplained = amount_minor.checked_sub(explained).ok_or(MoneyError::Overflow)?;
    let mut providers = spread(lines, unexplained)?;
    let mut operator_minor = unexplained - providers.values().sum::<i64>();
    for part in parts {
        match bearer_of(lines, part.line_no) {
            DisputeBearer::Operator => operator_minor += part.provider_minor,
            DisputeBearer::Provider => *providers.entry(part.provider_id).or_default() += part.operator_minor,
            DisputeBearer::Split => {}
        }
    }
    providers.retain(|_, minor| *minor != 0);
    Ok(Loss { providers, operator_minor })
}

/// What each provider that bears its disputes has of an amount that is spread over all lines by what was paid for them.
///
/// # Errors
/// [`MoneyError`] for a negative amount, or lines that cost nothing.
pub fn spread(lines: &[order_line::Model], minor: i64) -> Result<BTreeMap<OrgId, i64>, MoneyError> {
    let mut of = BTreeMap::new();
    if minor == 0 || lines.is_empty() {
        return Ok(of);
    }
    let paid = |line: &order_line::Model| u64::try_from(line.price_minor.saturating_add(line.tax_minor)).unwrap_or(0);
    let weights: Vec<u64> = lines.iter().map(paid).collect();
    for (line, part) in lines.iter().zip(allocate::split(minor, &weights)?) {
        if line.dispute_bearer == DisputeBearer::Provider {
            *of.entry(line.provider_id).or_default() += part;
        }
    }
    Ok(of)
}

/// Who bears a lost dispute about a line, as it was frozen.
pub fn bearer_of(lines: &[order_line::Model], line_no: i32) -> DisputeBearer {
    lines.iter().find(|line| line.line_no == line_no).map_or(DisputeBearer::Split, |line| line.dispute_bearer)
}

/// The business event of taking the fee for a lost dispute from a provider.
pub fn fee_event(order: OrderId, id: DisputeId) -> String {
    event(order, id, "fee")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_only_goes_forward() {
        for from in DisputeState::ALL {
            assert!(!is_forward(*from, *from));
            assert!(!is_forward(*from, DisputeState::Warning));
        }
        assert!(is_forward(DisputeState::NeedsResponse, DisputeState::Lost));
        assert!(!is_forward(DisputeState::Won, DisputeState::Lost));
        assert!(!is_forward(DisputeState::Lost, DisputeState::UnderReview));
    }
}
