//! Which transfers a debt is taken back from.

/// What can be taken back of one transfer about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room<Payout> {
    /// The payout.
    pub payout: Payout,
    /// What it carried of the order, less what is being or was taken back of it.
    pub minor: i64,
}

/// Spreads a debt over transfers, the latest first; a rest that no transfer carried stays a debt.
pub fn spread<Payout: Copy>(debt_minor: i64, rooms: &[Room<Payout>]) -> Vec<Room<Payout>> {
    let mut left = debt_minor;
    let mut parts = Vec::new();
    for room in rooms.iter().rev() {
        let minor = room.minor.min(left);
        if minor > 0 {
            parts.push(Room { payout: room.payout, minor });
            left -= minor;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_taken_from_the_latest_transfers_and_never_more_than_they_carried() {
        let room = |payout, minor| Room { payout, minor };
        let rooms = [room("a", 50), room("b", 0), room("-", -5), room("c", 30)];
        assert_eq!(spread(40, &rooms), [room("c", 30), room("a", 10)]);
        assert_eq!(spread(30, &rooms), [room("c", 30)]);
        assert_eq!(spread(100, &rooms), [room("c", 30), room("a", 50)]);
        assert_eq!(spread(0, &rooms), []);
        assert_eq!(spread(-1, &rooms), []);
    }
}
