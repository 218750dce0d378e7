//! Net amounts for sums that were settled with their tax inside.

use torv_documents::{model::MAX_ROUNDING_MINOR, tax::tax_minor};
pub use torv_money::tax::{Fitted, cumulative, tax_inside};

use crate::base::MoneyError;

/// The net amount nearest to `sum − tax` whose rounded tax is exactly `tax`.
///
/// # Errors
/// [`MoneyError::OutOfRange`] where none is near enough that a document may call the rest rounding.
pub fn fit(sum_minor: i64, tax: i64, rate_bps: u32) -> Result<Fitted, MoneyError> {
    torv_money::tax::fit(sum_minor, tax, MAX_ROUNDING_MINOR, |net| tax_minor(net, rate_bps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_cents_with_a_quarter_inside_need_a_rounding() {
        // 25 % of 2 is 0.5, which rounds to 1: 2 + 1 = 3. 25 % of 1 rounds to 0: nothing makes 2.
        assert_eq!(fit(3, 1, 2_500), Ok(Fitted { net_minor: 2, rounding_minor: 0 }));
        assert_eq!(fit(2, 0, 2_500), Ok(Fitted { net_minor: 1, rounding_minor: 1 }));
        assert_eq!(fit(100, 0, 0), Ok(Fitted { net_minor: 100, rounding_minor: 0 }));
    }
}
