//! Where a provider's share of an order stands, and from where it is taken.

/// Where a share stands, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// While the hold lasts.
    pub pending_minor: i64,
    /// Due, and in no payout.
    pub payable_minor: i64,
}

/// From where something is taken, in minor units; none negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// From the share that is held.
    pub pending_minor: i64,
    /// From the share that is due.
    pub payable_minor: i64,
    /// Owed by the provider: the share is gone.
    pub receivable_minor: i64,
}

impl Position {
    /// Takes `minor`, none of it negative, from what stands: the held part first, then what is due; the rest is owed.
    pub fn take(&mut self, minor: i64) -> Taken {
        let pending_minor = minor.min(self.pending_minor.max(0));
        let payable_minor = (minor - pending_minor).min(self.payable_minor.max(0));
        self.pending_minor -= pending_minor;
        self.payable_minor -= payable_minor;
        Taken { pending_minor, payable_minor, receivable_minor: minor - pending_minor - payable_minor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_there_is_owed() {
        let of = |pending_minor, payable_minor| Position { pending_minor, payable_minor }.take(100);
        assert_eq!(of(500, 0), Taken { pending_minor: 100, payable_minor: 0, receivable_minor: 0 });
        assert_eq!(of(30, 50), Taken { pending_minor: 30, payable_minor: 50, receivable_minor: 20 });
        assert_eq!(of(-5, -5), Taken { pending_minor: 0, payable_minor: 0, receivable_minor: 100 });
    }

    #[test]
    fn what_was_taken_is_not_taken_again() {
        let mut position = Position { pending_minor: 30, payable_minor: 50 };
        position.take(40);
        assert_eq!(position, Position { pending_minor: 0, payable_minor: 40 });
        assert_eq!(position.take(100), Taken { pending_minor: 0, payable_minor: 40, receivable_minor: 60 });
        assert_eq!(position, Position::default());
    }
}
