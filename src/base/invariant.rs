//! What money must always obey, by name: every check says which promise it checks.

use std::fmt;

/// A promise that is checked by `torv verify` and, in the random walks of the tests, after every operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// The postings of each entry sum to zero per currency.
    EntriesBalance,
    /// All balances together sum to zero per currency, folded or not.
    TrialBalance,
    /// The processor holds what the books say, after what is in flight.
    ProcessorBalance,
    /// A payout is the sum of what it carries, of the line that left for it, and of what reached the bank.
    PayoutsComplete,
    /// What the documents say of every account is what the account shows.
    SubLedger,
    /// Of each order a share is what was given back, sent, set off and held, and what is still due; no more is given
    /// back than was paid, and no more taken back than was sent.
    Shares,
    /// What was given back whole took from each party exactly its part.
    WholeRefunds,
    /// Clearing accounts hold, order by order, what is in flight and nothing else.
    Clearing,
    /// A line of the processor is one entry, and every such entry has its line.
    LinesOnce,
    /// The same news again, in any order, books nothing.
    Replay,
    /// What was sealed is unchanged, and the database refuses to change it.
    Chain,
    /// Nobody is owed less than nothing, and nobody owes less than nothing.
    NothingNegative,
    /// Orders, grants, documents, coupons and meters agree with each other.
    Records,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::EntriesBalance,
        Self::TrialBalance,
        Self::ProcessorBalance,
        Self::PayoutsComplete,
        Self::SubLedger,
        Self::Shares,
        Self::WholeRefunds,
        Self::Clearing,
        Self::LinesOnce,
        Self::Replay,
        Self::Chain,
        Self::NothingNegative,
        Self::Records,
    ];

    /// The name that a violation carries in front.
    pub fn name(self) -> &'static str {
        match self {
            Self::EntriesBalance => "I1 entries balance",
            Self::TrialBalance => "I2 trial balance",
            Self::ProcessorBalance => "I3 processor's balance",
            Self::PayoutsComplete => "I4 payouts complete",
            Self::SubLedger => "I5 sub-ledger",
            Self::Shares => "I6 shares",
            Self::WholeRefunds => "I7 whole refunds",
            Self::Clearing => "I8 clearing",
            Self::LinesOnce => "I9 lines once",
            Self::Replay => "I10 replay",
            Self::Chain => "I11 chain",
            Self::NothingNegative => "I12 nothing negative",
            Self::Records => "records",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
