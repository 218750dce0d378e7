//! The rules of listings: states, what must be there before anyone sees it, and what the law keeps free.

use entity::{
    listing,
    states::{ListingState, ProviderKind, Theme},
};

use crate::error::{Error, Problem};

/// What can be done to a listing's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The owner wants it seen; with review, the operator looks at it first.
    Publish {
        /// True when the operator looks at listings before they are published.
        review: bool,
    },
    /// The owner takes it back from review.
    Withdraw,
    /// The operator lets it through.
    Approve,
    /// The operator sends it back with a note.
    Return,
    /// The owner ends it; it is not found any more, and stays readable for those who have it.
    Retire,
}

/// Why a listing's state does not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListingError {
    #[error("A listing that is {state} can't be {step}.")]
    Refused { state: ListingState, step: &'static str },
    #[error("Before it can be published: {}.", .0.join("; "))]
    NotReady(Vec<&'static str>),
    #[error("It is in review and can't be edited: withdraw it first.")]
    InReview,
    #[error("It is retired and can't be edited.")]
    Retired,
    #[error(
        "This would leave a published listing without a public price and without a promised answer time: set \
         answer_within_days first, or retire the listing."
    )]
    NothingToAnswer,
}

impl From<ListingError> for Error {
    fn from(refusal: ListingError) -> Self {
        Self::conflict(refusal.to_string()).because(refusal)
    }
}

/// The state after `step`.
///
/// # Errors
/// [`ListingError::Refused`] for a step that this state does not know.
pub(super) fn transition(state: ListingState, step: Step) -> Result<ListingState, ListingError> {
    match (state, step) {
        (ListingState::Draft, Step::Publish { review: true }) => Ok(ListingState::InReview),
        (ListingState::Draft, Step::Publish { review: false }) | (ListingState::InReview, Step::Approve) => {
            Ok(ListingState::Published)
        }
        (ListingState::InReview, Step::Return | Step::Withdraw) => Ok(ListingState::Draft),
        (ListingState::Published, Step::Retire) => Ok(ListingState::Retired),
        (state, step) => Err(ListingError::Refused { state, step: step.done() }),
    }
}

impl Step {
    const fn done(self) -> &'static str {
        match self {
            Self::Publish { .. } => "published",
            Self::Withdraw => "withdrawn from review",
            Self::Approve => "approved",
            Self::Return => "returned",
            Self::Retire => "retired",
        }
    }
}

/// Requires what a listing needs before anyone sees it: a published revision, a use case, and a public price or a
/// promised answer time.
///
/// # Errors
/// [`ListingError::NotReady`], naming everything that is missing.
pub(super) fn require_ready(row: &listing::Model) -> Result<(), ListingError> {
    let mut missing = Vec::new();
    if row.current_revision_id.is_none() {
        missing.push("publish a revision with at least one file");
    }
    if row.use_cases.as_array().is_none_or(Vec::is_empty) {
        missing.push("describe at least one use case");
    }
    if !is_answerable(row.has_free_offer, row.has_paid_offer, row.answer_within_days) {
        missing.push("add an offer with a public price, or promise an answer time in answer_within_days");
    }
    if missing.is_empty() { Ok(()) } else { Err(ListingError::NotReady(missing)) }
}

/// True when a visitor learns a price, or by when an answer comes.
pub(super) fn is_answerable(has_free_offer: bool, has_paid_offer: bool, answer_within_days: Option<i32>) -> bool {
    has_free_offer || has_paid_offer || answer_within_days.is_some()
}

/// Requires a state in which the description may change.
///
/// # Errors
/// [`ListingError::InReview`] and [`ListingError::Retired`].
pub(super) fn require_editable(state: ListingState) -> Result<(), ListingError> {
    match state {
        ListingState::Draft | ListingState::Published => Ok(()),
        ListingState::InReview => Err(ListingError::InReview),
        ListingState::Retired => Err(ListingError::Retired),
    }
}

/// A rule of law that keeps data free of charge.
///
/// Source: Commission Implementing Regulation (EU) 2023/138, Annex; Directive (EU) 2019/1024, Article 14(1)(a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardRule {
    /// The act.
    pub law: &'static str,
    /// The place in it, with the act it rests on.
    pub article: &'static str,
    /// The category of high-value data, as the act names it.
    pub category: &'static str,
    /// The refusal as a sentence.
    pub text: &'static str,
}

macro_rules! guard {
    ($section:literal, $category:literal) => {
        GuardRule {
            law: "Commission Implementing Regulation (EU) 2023/138",
            article: concat!("Annex, section ", $section, ", with Article 14(1)(a) of Directive (EU) 2019/1024"),
            category: $category,
            text: concat!(
                "A public-sector body can't charge for high-value data of the category \"",
                $category,
                "\": Commission Implementing Regulation (EU) 2023/138 (Annex, section ",
                $section,
                ") and Article 14(1)(a) of Directive (EU) 2019/1024 keep it free of charge. Make a free offer, or \
                 choose another theme if this one is wrong."
            ),
        }
    };
}

/// The rule that forbids a provider of this kind to charge for data of this theme, if there is one.
pub fn price_guard(kind: Option<ProviderKind>, theme: Theme) -> Option<GuardRule> {
    if kind != Some(ProviderKind::PublicSector) {
        return None;
    }
    match theme {
        Theme::Geospatial => Some(guard!("1", "geospatial")),
        Theme::Environment => Some(guard!("2", "earth observation and environment")),
        Theme::Meteorology => Some(guard!("3", "meteorological")),
        Theme::Population => Some(guard!("4", "statistics")),
        Theme::Transport => Some(guard!("6", "mobility")),
        _ => None,
    }
}

/// Refuses a price where the law keeps the data free.
///
/// # Errors
/// [`Problem::PriceGuard`], citing the rule.
pub fn refuse_price(kind: Option<ProviderKind>, theme: Theme) -> Result<(), Error> {
    price_guard(kind, theme).map_or(Ok(()), |rule| Err(Error::new(Problem::PriceGuard, rule.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] = [
        Step::Publish { review: false },
        Step::Publish { review: true },
        Step::Withdraw,
        Step::Approve,
        Step::Return,
        Step::Retire,
    ];

    #[test]
    fn only_the_drawn_arrows_exist() {
        let mut arrows = Vec::new();
        for &state in ListingState::ALL {
            for step in STEPS {
                if let Ok(next) = transition(state, step) {
                    arrows.push((state, step, next));
                }
            }
        }
        assert_eq!(
            arrows,
            [
                (ListingState::Draft, Step::Publish { review: false }, ListingState::Published),
                (ListingState::Draft, Step::Publish { review: true }, ListingState::InReview),
                (ListingState::InReview, Step::Withdraw, ListingState::Draft),
                (ListingState::InReview, Step::Approve, ListingState::Published),
                (ListingState::InReview, Step::Return, ListingState::Draft),
                (ListingState::Published, Step::Retire, ListingState::Retired),
            ]
        );
    }

    #[test]
    fn the_law_keeps_five_themes_of_public_bodies_free() {
        let free: Vec<_> = Theme::ALL
            .iter()
            .copied()
            .filter(|theme| price_guard(Some(ProviderKind::PublicSector), *theme).is_some())
            .collect();
        let expected = [Theme::Environment, Theme::Geospatial, Theme::Meteorology, Theme::Population, Theme::Transport];
        assert_eq!(free, expected);
        for kind in [None, Some(ProviderKind::Company), Some(ProviderKind::Ngo), Some(ProviderKind::Individual)] {
            assert!(Theme::ALL.iter().all(|theme| price_guard(kind, *theme).is_none()));
        }
    }

    #[test]
    fn the_refusal_cites_the_rule() {
        let refusal = refuse_price(Some(ProviderKind::PublicSector), Theme::Transport).expect_err("refused");
        assert_eq!(refusal.problem, Problem::PriceGuard);
        assert!(refusal.detail.contains("2023/138") && refusal.detail.contains("mobility"));
    }
}
