//! What can happen, as numbers that mean something in any world: any of them can be left out.

use crate::support::Dice;

/// One operation. What it is about is chosen by its numbers among what is there when it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A sale of any amount in any currency.
    Sell { provider: u64, currency: u64, minor: i64 },
    /// An order over HTTP: one provider, one that bears the processor's fee, or a bundle of three.
    Order { offer: u64, method: u64 },
    /// The operator, or the provider, gives back a part in thousandths; all that is left above 999.
    Refund { sale: u64, part: u64, by_provider: bool },
    /// The buyer asks for a part.
    Ask { sale: u64, part: u64 },
    /// Whoever's turn it is answers.
    Decide { sale: u64, approves: bool },
    /// The buyer has the operator decide.
    Appeal { sale: u64 },
    /// A bank takes a charge back in part, or warns.
    Dispute { sale: u64, part: u64, is_warning: bool },
    /// The bank decides, or the operator gives up.
    EndDispute { sale: u64, how: u64 },
    /// The money of a refund comes back.
    ReturnRefund { sale: u64 },
    /// A provider takes money out of its account at the processor.
    Drain { provider: u64, currency: u64, minor: i64 },
    /// Payouts are decided.
    PayOut { currency: u64, minimum_minor: i64, recipients: u64 },
    /// A failed payout is tried again.
    Retry { payout: u64 },
    /// The bank sends a payout of the operator back.
    PayoutReturned { payout: u64 },
    /// The processor moves money by itself: a fee, a payout, something nobody knows.
    Line { kind: u64, currency: u64, minor: i64 },
    /// Someone asks that a debt be given up.
    AskWriteOff { part: u64 },
    /// Somebody else agrees, or not.
    DecideWriteOff { agrees: bool },
    /// The bank's statement tells of payouts, or of something else.
    Statement { kind: u64, minor: i64 },
    /// Time passes.
    Wait { hours: i64 },
    /// Webhooks arrive: in order, shuffled with copies, or with losses.
    Webhooks { how: u64, seed: u64 },
    /// One sweep alone, so that the others see what it leaves.
    Sweep { which: u64 },
    /// All background work.
    Work,
    /// Something that was sent before is sent again: a request, webhooks, a statement, the processor's lines.
    Again { what: u64, which: u64 },
}

/// The steps that follow from a seed.
pub fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    (0..count).map(|_| any(&mut dice)).collect()
}

fn signed(dice: &mut Dice, end: u64) -> i64 {
    i64::try_from(dice.below(end)).expect("small")
}

/// Small amounts are where rounding shows; large ones where sums do.
fn amount(dice: &mut Dice) -> i64 {
    let end = [20, 1_000, 30_000, 9_000_000][usize::try_from(dice.below(4)).expect("an index")];
    1 + signed(dice, end)
}

fn any(dice: &mut Dice) -> Step {
    let (one, two) = (dice.below(1 << 20), dice.below(1 << 20));
    let (part, flag) = (1 + dice.below(1_400), dice.below(2) == 0);
    match dice.below(60) {
        0..=7 => Step::Sell { provider: one, currency: two, minor: amount(dice) },
        8..=12 => Step::Order { offer: one, method: two },
        13..=18 => Step::Refund { sale: one, part, by_provider: flag },
        19..=21 => Step::Ask { sale: one, part },
        22..=24 => Step::Decide { sale: one, approves: flag },
        25 => Step::Appeal { sale: one },
        26..=28 => Step::Dispute { sale: one, part, is_warning: two % 8 == 0 },
        29..=31 => Step::EndDispute { sale: one, how: two },
        32 | 33 => Step::ReturnRefund { sale: one },
        34 | 35 => Step::Drain { provider: one, currency: two, minor: amount(dice) },
        36..=39 => Step::PayOut { currency: one, minimum_minor: 1 + signed(dice, 300), recipients: two },
        40 => Step::Retry { payout: one },
        41 => Step::PayoutReturned { payout: one },
        42 => Step::Line { kind: one, currency: two, minor: 1 + signed(dice, 700) },
        43 => Step::AskWriteOff { part },
        44 => Step::DecideWriteOff { agrees: two % 4 != 0 },
        45 | 46 => Step::Statement { kind: one, minor: 1 + signed(dice, 5_000) },
        47..=50 => Step::Wait { hours: 1 + signed(dice, 90) },
        51 | 52 => Step::Webhooks { how: one, seed: two },
        53..=55 => Step::Sweep { which: one },
        56 | 57 => Step::Work,
        _ => Step::Again { what: one, which: two },
    }
}
