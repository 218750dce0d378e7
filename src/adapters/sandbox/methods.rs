//! The means of payment a tester can choose, and what each does.

use super::saved;
use crate::ports::payments::{Action, BANK_TRANSFER, BankInstructions, Capture, ChargeState, PaymentsError};

/// Accepts the charge, then answers nothing: the caller can't know what happened.
pub(super) const TIMEOUT: &str = "pm_card_timeout";
/// Pays like any card, but a refund to it comes back after [`DELAY_SECONDS`].
pub(super) const REFUND_FAILS: &str = "pm_card_refund_fails";
/// Seconds a delayed method takes to come to its end.
pub(super) const DELAY_SECONDS: i64 = 60;

/// What a method does to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Behaviour {
    /// The state right after the call.
    pub at_once: ChargeState,
    /// The state after [`DELAY_SECONDS`], for the delayed ones.
    pub later: Option<ChargeState>,
}

/// Looks a method up.
///
/// # Errors
/// [`PaymentsError::Refused`] for a token that is none of the sandbox's.
pub(super) fn behaviour(method: &str, capture: Capture) -> Result<Behaviour, PaymentsError> {
    let taken = || match capture {
        Capture::Automatic => ChargeState::Captured,
        Capture::Manual => ChargeState::Authorised,
    };
    let failed = |code: &str, text: &str| ChargeState::Failed { code: code.to_owned(), text: text.to_owned() };
    let declined = || failed("card_declined", "The card was declined. Try another one.");
    let (at_once, later) = match method {
        "pm_card_visa" | TIMEOUT | REFUND_FAILS | saved::DECLINED_LATER | saved::CONFIRMED_ONLY => (taken(), None),
        "pm_card_declined" => (declined(), None),
        "pm_card_insufficient_funds" => {
            (failed("insufficient_funds", "The account does not hold enough. Try another one."), None)
        }
        "pm_card_expired" => (failed("expired_card", "The card has expired. Try another one."), None),
        "pm_card_confirm" | BANK_TRANSFER => (ChargeState::ActionRequired(action(method, "")), Some(taken())),
        "pm_card_delayed" => (ChargeState::Processing, Some(taken())),
        "pm_card_delayed_decline" => (ChargeState::Processing, Some(declined())),
        _ => {
            return Err(PaymentsError::Refused {
                code: "unknown_payment_method".to_owned(),
                text: "The sandbox knows pm_card_visa, pm_card_declined, pm_card_insufficient_funds, pm_card_expired, \
                       pm_card_confirm, pm_card_delayed, pm_card_delayed_decline, pm_card_timeout, pm_card_refund_fails, \
                       pm_card_declined_later, pm_card_authentication_required and bank_transfer."
                    .to_owned(),
            });
        }
    };
    Ok(Behaviour { at_once, later })
}

/// What the buyer has to do. The sandbox's buyers always do it: the delay later the money is there.
pub(super) fn action(method: &str, charge_ref: &str) -> Action {
    if method != BANK_TRANSFER {
        return Action { url: Some(format!("https://bank.example/confirm/{charge_ref}")), transfer: None };
    }
    let transfer = BankInstructions {
        holder: "Torv".to_owned(),
        // The example number of the Danish IBAN.
        iban: "DK5000400440116243".to_owned(),
        bic: "NDEADKKK".to_owned(),
        reference: charge_ref.trim_start_matches("ch_").chars().rev().take(10).collect::<String>().to_uppercase(),
    };
    Action { url: None, transfer: Some(transfer) }
}
