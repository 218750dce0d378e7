//! Which amounts may be charged in which currency, and how one currency settles into another.
//!
//! Source: Stripe's pages on supported currencies, minimum charge amounts and special cases.

use crate::error::ApiError;

/// Amounts have at most eight digits, whatever the currency.
pub const AMOUNT_MAX_MINOR: i64 = 99_999_999;

/// What is special about a currency. Amounts are in the API's minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub currency: &'static str,
    /// Smallest charge.
    pub minimum_minor: i64,
    /// Charges must be a multiple of this.
    pub charge_step_minor: i64,
    /// Payouts must be a multiple of this.
    pub payout_step_minor: i64,
}

const fn rule(currency: &'static str, minimum_minor: i64, charge_step_minor: i64, payout_step_minor: i64) -> Rule {
    Rule { currency, minimum_minor, charge_step_minor, payout_step_minor }
}

/// The currencies with a documented minimum or a special case. Where no minimum is documented Stripe applies the
/// settlement currency's; the twin then applies none.
const RULES: &[Rule] = &[
    rule("aed", 200, 1, 1),
    rule("aud", 50, 1, 1),
    rule("bgn", 100, 1, 1),
    rule("bhd", 10, 10, 10),
    rule("brl", 50, 1, 1),
    rule("cad", 50, 1, 1),
    rule("chf", 50, 1, 1),
    rule("czk", 1_500, 1, 1),
    rule("dkk", 250, 1, 1),
    rule("eur", 50, 1, 1),
    rule("gbp", 30, 1, 1),
    rule("hkd", 400, 1, 1),
    rule("huf", 17_500, 1, 100),
    rule("inr", 50, 1, 1),
    rule("isk", 100, 100, 100),
    rule("jod", 10, 10, 10),
    rule("jpy", 50, 1, 1),
    rule("kwd", 10, 10, 10),
    rule("mxn", 1_000, 1, 1),
    rule("myr", 200, 1, 1),
    rule("nok", 300, 1, 1),
    rule("nzd", 50, 1, 1),
    rule("omr", 10, 10, 10),
    rule("pln", 200, 1, 1),
    rule("ron", 200, 1, 1),
    rule("sek", 300, 1, 1),
    rule("sgd", 50, 1, 1),
    rule("thb", 1_000, 1, 1),
    rule("tnd", 10, 10, 10),
    rule("twd", 1, 1, 100),
    rule("ugx", 100, 100, 100),
    rule("usd", 50, 1, 1),
];

/// The other currencies that Stripe charges in: no documented minimum, nothing special.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "afn", "all", "amd", "ang", "aoa", "ars", "awg", "azn", "bam", "bbd", "bdt", "bif", "bmd", "bnd", "bob", "bsd", "btn", "bwp",
    "byn", "bzd", "cdf", "clp", "cny", "cop", "crc", "cve", "djf", "dop", "dzd", "egp", "etb", "fjd", "fkp", "gel", "ghs", "gip",
    "gmd", "gnf", "gtq", "gyd", "hnl", "htg", "idr", "ils", "jmd", "kes", "kgs", "khr", "kmf", "krw", "kyd", "kzt", "lak", "lbp",
    "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mzn", "nad", "ngn", "nio", "npr",
    "pab", "pen", "pgk", "php", "pkr", "pyg", "qar", "rsd", "rub", "rwf", "sar", "sbd", "scr", "shp", "sle", "sos", "srd", "std",
    "szl", "tjs", "top", "try", "ttd", "tzs", "uah", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer",
    "zar", "zmw",
];

/// The rule of a lower-case currency code, `None` when the twin does not know the currency.
pub fn rule_of(currency: &str) -> Option<Rule> {
    let plain = || PLAIN.iter().find(|code| **code == currency).map(|code| rule(code, 1, 1, 1));
    RULES.iter().find(|rule| rule.currency == currency).copied().or_else(plain)
}

/// The lower-case code of a known currency.
///
/// # Errors
/// 400 naming the parameter `currency`.
pub fn currency(code: &str) -> Result<String, ApiError> {
    let lower = code.to_ascii_lowercase();
    if rule_of(&lower).is_some() {
        return Ok(lower);
    }
    let known: Vec<&str> = RULES.iter().map(|rule| rule.currency).chain(PLAIN.iter().copied()).collect();
    let message = format!("Invalid currency: {code}. Stripe currently supports these currencies: {}", known.join(", "));
    Err(ApiError::invalid("", "currency", message))
}

/// Checks the size of any amount: positive and at most eight digits.
///
/// # Errors
/// `parameter_invalid_integer` or `amount_too_large`.
pub fn check_size(amount: i64) -> Result<(), ApiError> {
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(ApiError::invalid("parameter_invalid_integer", "amount", message));
    }
    if amount > AMOUNT_MAX_MINOR {
        let message = format!("Amount must be no more than {AMOUNT_MAX_MINOR} in the smallest unit of its currency.");
        return Err(ApiError::invalid("amount_too_large", "amount", message));
    }
    Ok(())
}

/// Checks an amount that is to be charged.
///
/// # Errors
/// As [`check_size`], and `amount_too_small`, `invalid_charge_amount_no_decimal_compatible` (ISK and UGX with
/// fractions) and `parameter_invalid_integer` (three-decimal currencies whose last digit is not 0).
pub fn check_charge(amount: i64, currency: &str) -> Result<(), ApiError> {
    check_size(amount)?;
    let Some(rule) = rule_of(currency) else { return Ok(()) };
    if amount % rule.charge_step_minor != 0 {
        let code = match currency {
            "isk" | "ugx" => "invalid_charge_amount_no_decimal_compatible",
            _ => "parameter_invalid_integer",
        };
        let message =
            format!("Amounts in {currency} must be divisible by {}; received {amount}.", rule.charge_step_minor);
        return Err(ApiError::invalid(code, "amount", message));
    }
    if amount < rule.minimum_minor {
        let message = format!("Amount must be at least {} {currency} in its smallest unit.", rule.minimum_minor);
        return Err(ApiError::invalid("amount_too_small", "amount", message));
    }
    Ok(())
}

/// The largest payout that fits into `available`, 0 when none does.
pub fn payable(available: i64, currency: &str) -> i64 {
    let step = rule_of(currency).map_or(1, |rule| rule.payout_step_minor);
    available.max(0) / step * step
}

/// What the processor keeps of a charge: `amount * bps / 10_000`, rounded half up, plus a fixed part.
#[derive(Clone, Copy, Debug)]
pub struct FeeSchedule {
    pub bps: i64,
    /// Per charge, in minor units of the settlement currency.
    pub fixed_minor: i64,
    /// Per dispute, in minor units of the settlement currency.
    pub dispute_minor: i64,
}

impl Default for FeeSchedule {
    fn default() -> Self {
        Self { bps: 290, fixed_minor: 30, dispute_minor: 1_500 }
    }
}

impl FeeSchedule {
    /// The fee on a settled amount, never more than the amount itself.
    pub fn on(&self, amount: i64) -> i64 {
        let share = (i128::from(amount) * i128::from(self.bps) + 5_000) / 10_000;
        i64::try_from(share).unwrap_or(amount).saturating_add(self.fixed_minor).min(amount)
    }
}

/// A rate from one currency's minor unit to another's, in millionths.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub from: String,
    pub to: String,
    pub rate_millionths: i64,
}

impl Conversion {
    /// Converts by the rate, rounding half away from zero.
    pub fn apply(&self, amount: i64) -> i64 {
        let product = i128::from(amount) * i128::from(self.rate_millionths);
        let half = if product < 0 { -500_000 } else { 500_000 };
        i64::try_from((product + half) / 1_000_000).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(amount: i64, currency: &str) -> Option<&'static str> {
        check_charge(amount, currency).err().and_then(|error| error.code)
    }

    #[test]
    fn special_currencies_follow_their_rules() {
        assert_eq!(code(10_001, "isk"), Some("invalid_charge_amount_no_decimal_compatible"));
        assert_eq!(code(10_000, "isk"), None);
        assert_eq!(code(5_124, "kwd"), Some("parameter_invalid_integer"));
        assert_eq!(code(5_120, "kwd"), None);
        assert_eq!(code(150, "ugx"), Some("invalid_charge_amount_no_decimal_compatible"));
        assert_eq!(code(20_001, "huf"), None);
        assert_eq!(code(49, "usd"), Some("amount_too_small"));
        assert_eq!(code(49, "jpy"), Some("amount_too_small"));
        assert_eq!(code(99_999_999, "jpy"), None);
        assert_eq!(code(100_000_000, "jpy"), Some("amount_too_large"));
        assert_eq!(code(-5, "eur"), Some("parameter_invalid_integer"));
        assert!(currency("xxx").is_err());
    }

    #[test]
    fn payouts_of_huf_and_twd_are_whole() {
        assert_eq!(payable(12_345, "huf"), 12_300);
        assert_eq!(payable(12_345, "twd"), 12_300);
        assert_eq!(payable(12_345, "eur"), 12_345);
        assert_eq!(payable(-1, "eur"), 0);
    }

    #[test]
    fn the_fee_rounds_half_up_and_never_exceeds_the_amount() {
        let fees = FeeSchedule::default();
        assert_eq!(fees.on(10_001), 320);
        assert_eq!(fees.on(50), 31);
        assert_eq!(fees.on(10), 10);
    }
}
