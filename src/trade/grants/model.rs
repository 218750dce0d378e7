//! What may be done to a grant, and which versions of the data it gets when.

use entity::{
    grant,
    states::{Coverage, GrantState},
};
use time::OffsetDateTime;

use crate::{
    catalog::revisions::versions::{Held, Release, reaches},
    error::Error,
    terms::licences::OnBreach,
};

/// Why a grant stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum GrantError {
    #[error("This grant is {0} already.")]
    Over(GrantState),
    #[error("Its licence says that it can't be revoked.")]
    Irrevocable,
    #[error("A subscription is charged for it: end that with POST /api/v1/subscriptions/{{id}}/end instead.")]
    Subscribed,
    #[error("It covers the revisions up to {0} and no later one, so there is nothing to accept.")]
    Snapshot(i32),
}

impl From<GrantError> for Error {
    fn from(refusal: GrantError) -> Self {
        Self::conflict(refusal.to_string()).because(refusal)
    }
}

/// Requires a grant that is not over.
///
/// # Errors
/// [`GrantError::Over`].
pub(super) fn require_open(state: GrantState) -> Result<(), GrantError> {
    match state {
        GrantState::Active | GrantState::Suspended => Ok(()),
        GrantState::Ended | GrantState::Revoked => Err(GrantError::Over(state)),
    }
}

/// Requires a licence that lets its provider end it.
///
/// # Errors
/// [`GrantError::Irrevocable`].
pub(super) fn require_revocable(on_breach: OnBreach) -> Result<(), GrantError> {
    match on_breach {
        OnBreach::Irrevocable => Err(GrantError::Irrevocable),
        OnBreach::Unstated | OnBreach::Automatic | OnBreach::AfterNotice { .. } => Ok(()),
    }
}

/// Requires a grant that later revisions can reach.
///
/// # Errors
/// [`GrantError::Over`] and [`GrantError::Snapshot`].
pub(super) fn require_acceptable(row: &grant::Model) -> Result<(), GrantError> {
    require_open(row.state)?;
    match row.coverage {
        Coverage::WhileActive => Ok(()),
        Coverage::Snapshot => Err(GrantError::Snapshot(row.through_revision)),
    }
}

/// Whether a revision reaches a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Available,
    /// It breaks what the grant was made on; it comes then, or when the holder accepts it. The time is unknown until
    /// the revision has its version.
    HeldBack(Option<OffsetDateTime>),
    /// It came after what was granted.
    NotCovered,
}

/// Whether and when a revision reaches an open grant.
pub(super) fn reach(coverage: Coverage, held: Held, release: Release, now: OffsetDateTime) -> Reach {
    match coverage {
        Coverage::Snapshot if release.number > held.through_revision => Reach::NotCovered,
        _ if reaches(held, release, now) => Reach::Available,
        _ => Reach::HeldBack(release.reaches_older_at),
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    #[test]
    fn a_breaking_revision_is_held_back_and_one_after_a_snapshot_never_comes() {
        let held = Held { through_revision: 1, major: Some(1) };
        let then = NOW + Duration::days(30);
        let release = Release { number: 2, major: Some(2), reaches_older_at: Some(then), gives_notice: true };
        assert_eq!(reach(Coverage::WhileActive, held, release, NOW), Reach::HeldBack(Some(then)));
        assert_eq!(reach(Coverage::WhileActive, held, release, then), Reach::Available);
        assert_eq!(reach(Coverage::Snapshot, held, release, then), Reach::NotCovered);
        assert_eq!(reach(Coverage::Snapshot, held, Release { number: 1, ..release }, NOW), Reach::Available);
    }

    #[test]
    fn only_an_irrevocable_licence_can_not_be_revoked() {
        assert_eq!(require_revocable(OnBreach::Irrevocable), Err(GrantError::Irrevocable));
        for rule in [OnBreach::Unstated, OnBreach::Automatic, OnBreach::AfterNotice { cure_days: 30 }] {
            assert_eq!(require_revocable(rule), Ok(()));
        }
    }

    #[test]
    fn what_is_over_is_not_revoked_again() {
        assert_eq!(require_open(GrantState::Suspended), Ok(()));
        for state in [GrantState::Ended, GrantState::Revoked] {
            assert_eq!(require_open(state), Err(GrantError::Over(state)));
        }
    }
}
