//! The stages of a dispute, and which may follow which.

use entity::{
    dispute,
    ids::{DisputeId, OrderId},
    states::DisputeState,
};

use crate::{
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
