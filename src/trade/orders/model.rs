//! The states of an order, and what may happen in each.

use entity::states::OrderState;

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The provider approves, and there is something to pay.
    Approve,
    /// The provider approves a free one.
    ApproveFree,
    /// The provider declines.
    Decline,
    /// The money is taken.
    Pay,
    /// The buyer changes their mind.
    Cancel,
    /// Nobody did anything in time.
    Expire,
}

/// The step is not possible where the order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {} can't be {}", state.as_str().replace('_', " "), step.done())]
pub struct OrderError {
    /// Where it stands.
    pub state: OrderState,
    /// What was tried.
    pub step: Step,
}

impl Step {
    const fn done(self) -> &'static str {
        match self {
            Self::Approve | Self::ApproveFree => "approved",
            Self::Decline => "declined",
            Self::Pay => "paid",
            Self::Cancel => "cancelled",
            Self::Expire => "expired",
        }
    }

    /// The state after this step.
    ///
    /// # Errors
    /// [`OrderError`] where the step is not possible.
    pub fn from(self, state: OrderState) -> Result<OrderState, OrderError> {
        use OrderState::{AwaitingApproval, AwaitingPayment, Cancelled, Completed, Declined, Expired};
        match (self, state) {
            (Self::Approve, AwaitingApproval) => Ok(AwaitingPayment),
            (Self::ApproveFree, AwaitingApproval) | (Self::Pay, AwaitingPayment) => Ok(Completed),
            (Self::Decline, AwaitingApproval) => Ok(Declined),
            (Self::Cancel, AwaitingApproval | AwaitingPayment) => Ok(Cancelled),
            (Self::Expire, AwaitingApproval | AwaitingPayment) => Ok(Expired),
            (step, state) => Err(OrderError { state, step }),
        }
    }
}

impl From<OrderError> for crate::error::Error {
    fn from(error: OrderError) -> Self {
        Self::conflict(format!("{}.", capitalized(&error.to_string())))
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] = [Step::Approve, Step::ApproveFree, Step::Decline, Step::Pay, Step::Cancel, Step::Expire];

    #[test]
    fn an_order_that_is_closed_stays_as_it_is() {
        for state in [OrderState::Completed, OrderState::Declined, OrderState::Cancelled, OrderState::Expired] {
            for step in STEPS {
                assert_eq!(step.from(state), Err(OrderError { state, step }));
            }
        }
    }

    #[test]
    fn only_payment_or_a_free_approval_completes() {
        for state in OrderState::ALL {
            for step in STEPS {
                if step.from(*state) == Ok(OrderState::Completed) {
                    assert!(matches!(step, Step::Pay | Step::ApproveFree));
                }
            }
        }
        assert!(Step::Pay.from(OrderState::AwaitingApproval).is_err());
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let error = Step::Cancel.from(OrderState::Completed).expect_err("refused");
        assert_eq!(error.to_string(), "an order that is completed can't be cancelled");
    }
}
