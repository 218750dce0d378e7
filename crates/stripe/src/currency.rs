//! What Stripe accepts as an amount, currency by currency, as a table.
//!
//! The exchange counts in ISO 4217 minor units; Stripe mostly does too, but not for every currency: ISK and UGX have no
//! minor unit in ISO 4217 and two digits in the API, MGA has two in ISO 4217 and none in the API. Amounts cross the border
//! here and nowhere else, and are refused here when Stripe would refuse them.
//! Source: docs.stripe.com/currencies (presentment currencies, special cases, minimum and maximum charge amounts).

use thiserror::Error;

/// The largest amount of one charge, in the API's units: eight digits.
pub const CHARGE_API_UNITS_MAX: i64 = 99_999_999;

/// How Stripe treats one currency. `*_api_units` are amounts as the API counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyRule {
    /// ISO 4217 code in upper case.
    pub code: &'static str,
    /// Digits after the decimal point in ISO 4217: how the exchange counts.
    pub iso_digits: u32,
    /// Digits after the decimal point in the API: how Stripe counts.
    pub api_digits: u32,
    /// Charges and refunds must be a multiple of this.
    pub charge_step_api_units: i64,
    /// Payouts must be a multiple of this.
    pub payout_step_api_units: i64,
    /// The smallest charge Stripe publishes for the currency; 1 where it publishes none (it then applies the minimum of
    /// the settlement currency, which is not known before the charge).
    pub charge_min_api_units: i64,
}

/// What an amount is for: each has its own limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountUse {
    /// Money taken from a buyer: minimum, maximum and step apply.
    Charge,
    /// Money given back to a buyer: the step applies.
    Refund,
    /// Money moved to or back from a connected account: must be more than nothing.
    Transfer,
    /// Money sent to a bank: the payout step applies.
    Payout,
}

/// Why an amount cannot cross the border. Each sentence says what to change.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum AmountError {
    #[error(
        "Stripe's rules for the currency \"{0}\" are not known here: use an ISO 4217 code in upper case that Stripe supports"
    )]
    UnknownCurrency(String),
    #[error("an amount in {currency} has to be more than 0, it is {amount_minor}")]
    NotPositive { currency: &'static str, amount_minor: i64 },
    #[error(
        "{amount_minor} minor units of {currency} cannot be said to Stripe, which counts {currency} in steps of {step_minor} minor units: round to a multiple of it"
    )]
    NotAMultiple { currency: &'static str, amount_minor: i64, step_minor: i64 },
    #[error("{amount_minor} minor units of {currency} are below Stripe's smallest charge: charge at least {min_minor}")]
    BelowMinimum { currency: &'static str, amount_minor: i64, min_minor: i64 },
    #[error(
        "{amount_minor} minor units of {currency} are above Stripe's largest charge: charge at most {max_minor}, or in parts"
    )]
    AboveMaximum { currency: &'static str, amount_minor: i64, max_minor: i64 },
    #[error("{amount_minor} is too large an amount of {currency} to be counted")]
    Overflow { currency: &'static str, amount_minor: i64 },
    #[error("Stripe's amount {api_units} of {currency} is not a whole number of its ISO 4217 minor units")]
    Fraction { currency: &'static str, api_units: i64 },
}

const fn rule(code: &'static str, digits: u32, step: i64, min: i64) -> CurrencyRule {
    CurrencyRule {
        code,
        iso_digits: digits,
        api_digits: digits,
        charge_step_api_units: step,
        payout_step_api_units: step,
        charge_min_api_units: min,
    }
}
/// Two digits on both sides, no published minimum.
const fn two(code: &'static str) -> CurrencyRule {
    rule(code, 2, 1, 1)
}
/// Two digits on both sides and the minimum charge that Stripe publishes.
const fn two_from(code: &'static str, min: i64) -> CurrencyRule {
    rule(code, 2, 1, min)
}
/// No digits on either side.
const fn zero(code: &'static str, min: i64) -> CurrencyRule {
    rule(code, 0, 1, min)
}
/// Three digits on both sides, of which the last has to be 0.
const fn three(code: &'static str) -> CurrencyRule {
    rule(code, 3, 10, 10)
}
/// No digits in ISO 4217, but two in the API, which have to be 00.
const fn whole_in_hundredths(code: &'static str) -> CurrencyRule {
    CurrencyRule { iso_digits: 0, ..rule(code, 2, 100, 100) }
}
/// Two digits for charges, but paid out in whole units only.
const fn paid_out_whole(code: &'static str, min: i64) -> CurrencyRule {
    CurrencyRule { payout_step_api_units: 100, ..rule(code, 2, 1, min) }
}

/// One row per currency that Stripe charges in, by code.
#[rustfmt::skip]
pub const RULES: &[CurrencyRule] = &[
    two_from("AED", 200), two("AFN"), two("ALL"), two("AMD"), two("ANG"), two("AOA"), two("ARS"), two_from("AUD", 50), two("AWG"), two("AZN"),
    two("BAM"), two("BBD"), two("BDT"), two_from("BGN", 100), three("BHD"), zero("BIF", 1), two("BMD"), two("BND"), two("BOB"), two_from("BRL", 50),
    two("BSD"), two("BTN"), two("BWP"), two("BYN"), two("BZD"), two_from("CAD", 50), two("CDF"), two_from("CHF", 50), zero("CLP", 1), two("CNY"),
    two("COP"), two("CRC"), two("CVE"), two_from("CZK", 1500), zero("DJF", 1), two_from("DKK", 250), two("DOP"), two("DZD"), two("EGP"), two("ETB"),
    two_from("EUR", 50), two("FJD"), two("FKP"), two_from("GBP", 30), two("GEL"), two("GHS"), two("GIP"), two("GMD"), zero("GNF", 1), two("GTQ"),
    two("GYD"), two_from("HKD", 400), two("HNL"), two("HTG"), paid_out_whole("HUF", 17_500), two("IDR"), two("ILS"), two_from("INR", 50),
    whole_in_hundredths("ISK"), two("JMD"), three("JOD"), zero("JPY", 50), two("KES"), two("KGS"), two("KHR"), zero("KMF", 1), zero("KRW", 1),
    three("KWD"), two("KYD"), two("KZT"), two("LAK"), two("LBP"), two("LKR"), two("LRD"), two("LSL"), two("MAD"), two("MDL"),
    // Two digits in ISO 4217 (a fifth of an ariary, by convention), none in the API.
    CurrencyRule { iso_digits: 2, ..rule("MGA", 0, 1, 1) },
    two("MKD"), two("MMK"), two("MNT"), two("MOP"), two("MUR"), two("MVR"), two("MWK"), two_from("MXN", 1000), two_from("MYR", 200), two("MZN"),
    two("NAD"), two("NGN"), two("NIO"), two_from("NOK", 300), two("NPR"), two_from("NZD", 50), three("OMR"), two("PAB"), two("PEN"), two("PGK"),
    two("PHP"), two("PKR"), two_from("PLN", 200), zero("PYG", 1), two("QAR"), two_from("RON", 200), two("RSD"), two("RUB"), zero("RWF", 1),
    two("SAR"), two("SBD"), two("SCR"), two_from("SEK", 300), two_from("SGD", 50), two("SHP"), two("SLE"), two("SOS"), two("SRD"), two("STD"),
    two("SZL"), two_from("THB", 1000), two("TJS"), three("TND"), two("TOP"), two("TRY"), two("TTD"), paid_out_whole("TWD", 1), two("TZS"),
    two("UAH"), whole_in_hundredths("UGX"), two_from("USD", 50), two("UYU"), two("UZS"), zero("VND", 1), zero("VUV", 1), two("WST"),
    zero("XAF", 1), two("XCD"), two("XCG"), zero("XOF", 1), zero("XPF", 1), two("YER"), two("ZAR"), two("ZMW"),
];

/// The rule of a currency by its ISO 4217 code in upper case.
///
/// # Errors
/// `UnknownCurrency` for a code that is not in the table.
pub fn rule_of(code: &str) -> Result<&'static CurrencyRule, AmountError> {
    RULES.iter().find(|rule| rule.code == code).ok_or_else(|| AmountError::UnknownCurrency(code.to_owned()))
}

impl CurrencyRule {
    /// How many ISO minor units one API unit is worth, or its inverse: (multiply, divide) on the way to the API.
    const fn scale(&self) -> (i64, i64) {
        if self.api_digits >= self.iso_digits {
            (10_i64.pow(self.api_digits - self.iso_digits), 1)
        } else {
            (1, 10_i64.pow(self.iso_digits - self.api_digits))
        }
    }

    /// Turns ISO 4217 minor units into the API's units. Nothing is ever rounded.
    ///
    /// # Errors
    /// A sentence to act on when Stripe would refuse the amount for this use.
    pub fn to_api(&self, amount_minor: i64, amount_use: AmountUse) -> Result<i64, AmountError> {
        let currency = self.code;
        if amount_minor <= 0 {
            return Err(AmountError::NotPositive { currency, amount_minor });
        }
        let (multiply, divide) = self.scale();
        let not_a_multiple =
            |step: i64| AmountError::NotAMultiple { currency, amount_minor, step_minor: self.minor(step) };
        if amount_minor % divide != 0 {
            return Err(not_a_multiple(1));
        }
        let api_units =
            (amount_minor / divide).checked_mul(multiply).ok_or(AmountError::Overflow { currency, amount_minor })?;
        let step = match amount_use {
            AmountUse::Charge | AmountUse::Refund => self.charge_step_api_units,
            AmountUse::Payout => self.payout_step_api_units,
            AmountUse::Transfer => 1,
        };
        if api_units % step != 0 {
            return Err(not_a_multiple(step));
        }
        if amount_use == AmountUse::Charge {
            if api_units < self.charge_min_api_units {
                let min_minor = self.minor(self.charge_min_api_units);
                return Err(AmountError::BelowMinimum { currency, amount_minor, min_minor });
            }
            if api_units > CHARGE_API_UNITS_MAX {
                let max = CHARGE_API_UNITS_MAX - CHARGE_API_UNITS_MAX % self.charge_step_api_units;
                return Err(AmountError::AboveMaximum { currency, amount_minor, max_minor: self.minor(max) });
            }
        }
        Ok(api_units)
    }

    /// Turns ISO 4217 minor units into the API's units, rounded up to what Stripe can count: for a least amount, 0 included.
    ///
    /// # Errors
    /// `NotPositive` below 0, `Overflow` beyond 64 bits.
    pub fn to_api_at_least(&self, amount_minor: i64) -> Result<i64, AmountError> {
        let currency = self.code;
        if amount_minor < 0 {
            return Err(AmountError::NotPositive { currency, amount_minor });
        }
        let (multiply, divide) = self.scale();
        let units = amount_minor / divide + i64::from(amount_minor % divide != 0);
        units.checked_mul(multiply).ok_or(AmountError::Overflow { currency, amount_minor })
    }

    /// Turns an amount of Stripe's into ISO 4217 minor units; it may be negative or 0 (balance transactions are).
    ///
    /// # Errors
    /// `Fraction` if it is no whole number of minor units, `Overflow` beyond 64 bits. Nothing is ever rounded: an amount
    /// that cannot be said exactly has to reach a person.
    pub fn from_api(&self, api_units: i64) -> Result<i64, AmountError> {
        let (multiply, divide) = self.scale();
        if api_units % multiply != 0 {
            return Err(AmountError::Fraction { currency: self.code, api_units });
        }
        (api_units / multiply)
            .checked_mul(divide)
            .ok_or(AmountError::Overflow { currency: self.code, amount_minor: api_units })
    }

    /// The whole minor units of an amount of Stripe's, towards zero, for amounts that [`Self::from_api`] refuses and a person
    /// will look at; none beyond 64 bits.
    pub const fn whole_minor(&self, api_units: i64) -> Option<i64> {
        let (multiply, divide) = self.scale();
        (api_units / multiply).checked_mul(divide)
    }

    /// For messages only: API units from this table in ISO minor units.
    const fn minor(&self, api_units: i64) -> i64 {
        let (multiply, divide) = self.scale();
        api_units / multiply * divide
    }
}

#[cfg(test)]
#[path = "currency_tests.rs"]
mod tests;
