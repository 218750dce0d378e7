//! A price that is paid in parts.

use time::{Duration, OffsetDateTime};

use crate::{MoneyError, allocate, money::FULL_BPS, plan::Instalment};

/// A part of a price, and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// When it is charged.
    pub due_at: OffsetDateTime,
    /// How much, in minor units.
    pub minor: i64,
}

/// The parts of `total_minor`: the one due at the purchase first, then those of `instalments` by date.
///
/// What the instalments leave of the whole is due at the purchase. The parts add up to `total_minor`.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative total, [`MoneyError::ShareTooHigh`] when the instalments are more than the
/// whole.
pub fn schedule(
    total_minor: i64,
    instalments: &[Instalment],
    purchased_at: OffsetDateTime,
) -> Result<Vec<Part>, MoneyError> {
    let later_bps = instalments.iter().fold(0_u32, |sum, part| sum.saturating_add(part.share_bps));
    let first_bps = FULL_BPS.checked_sub(later_bps).ok_or(MoneyError::ShareTooHigh(later_bps))?;
    let shares: Vec<u64> =
        std::iter::once(first_bps).chain(instalments.iter().map(|part| part.share_bps)).map(u64::from).collect();
    let dates = std::iter::once(0).chain(instalments.iter().map(|part| i64::from(part.after_days)));
    let amounts = allocate::split(total_minor, &shares)?;
    let parts = dates.zip(amounts).map(|(days, minor)| Part { due_at: purchased_at + Duration::days(days), minor });
    let mut parts: Vec<Part> = parts.collect();
    parts.sort_by_key(|part| part.due_at);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);

    fn parts(total: i64, shares: &[(u16, u32)]) -> Vec<(i64, i64)> {
        let instalments: Vec<_> = shares
            .iter()
            .map(|(after_days, share_bps)| Instalment { after_days: *after_days, share_bps: *share_bps })
            .collect();
        let parts = schedule(total, &instalments, NOW).expect("valid");
        parts.into_iter().map(|part| ((part.due_at - NOW).whole_days(), part.minor)).collect()
    }

    #[test]
    fn what_the_parts_leave_is_due_at_once() {
        assert_eq!(parts(10_001, &[(30, 2_500), (60, 2_500)]), [(0, 5_001), (30, 2_500), (60, 2_500)]);
        assert_eq!(parts(10_001, &[]), [(0, 10_001)]);
        assert_eq!(parts(100, &[(60, 3_000), (30, 3_000)]), [(0, 40), (30, 30), (60, 30)]);
    }

    #[test]
    fn more_than_the_whole_is_refused() {
        let half = Instalment { after_days: 1, share_bps: 6_000 };
        assert_eq!(schedule(1, &[half, half], NOW), Err(MoneyError::ShareTooHigh(12_000)));
        assert_eq!(schedule(-1, &[half], NOW), Err(MoneyError::OutOfRange));
    }

    proptest! {
        #[test]
        fn the_parts_add_up(total in 0..=i64::MAX, shares in proptest::collection::vec((1_u16..1_000, 0_u32..=1_600), 0..=6)) {
            let parts = parts(total, &shares);
            prop_assert_eq!(parts.iter().map(|(_, minor)| i128::from(*minor)).sum::<i128>(), i128::from(total));
            prop_assert!(parts.iter().all(|(_, minor)| *minor >= 0) && parts.is_sorted_by_key(|(days, _)| *days));
        }
    }
}
