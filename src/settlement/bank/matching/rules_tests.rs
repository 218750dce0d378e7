//! The rules, one by one.

use entity::{ids::BankLineId, states::BankLineState};
use proptest::prelude::*;
use time::{Date, Duration, macros::date};

use super::*;

const DAY: Date = date!(2026 - 11 - 18);

fn line(name: &str, amount_minor: i64) -> LineFacts {
    LineFacts {
        id: BankLineId::derived(name),
        account: "main".to_owned(),
        key: name.to_owned(),
        currency: "EUR".parse().expect("in the table"),
        booked_on: DAY,
        amount_minor,
        in_suspense: false,
        references: Vec::new(),
        words: Vec::new(),
        told: name.to_owned(),
        counterparty: "processor".to_owned(),
        is_charge: false,
    }
}

fn naming(name: &str, amount_minor: i64, reference: &str) -> LineFacts {
    LineFacts { references: vec![reference.to_owned()], ..line(name, amount_minor) }
}

fn payout(reference: &str, amount_minor: i64) -> PayoutFacts {
    PayoutFacts {
        id: format!("txn_{reference}"),
        reference: reference.to_owned(),
        trace_id: None,
        payout_id: None,
        currency: "EUR".parse().expect("in the table"),
        amount_minor,
        settled_minor: 0,
        expected_on: DAY,
        is_returned: false,
    }
}

fn decided(lines: &[LineFacts], payouts: &[PayoutFacts]) -> Vec<Decision> {
    let decisions = together(lines, payouts);
    for decision in &decisions {
        let line = lines.iter().find(|line| line.id == decision.line).expect("a line of ours");
        assert_eq!(decision.parts.iter().map(|part| part.amount_minor).sum::<i64>(), line.amount_minor);
    }
    decisions
}

fn rules(decisions: &[Decision]) -> Vec<MatchRule> {
    decisions.iter().flat_map(|decision| decision.parts.iter().map(|part| part.rule)).collect()
}

fn classes(decisions: &[Decision]) -> Vec<ExceptionClass> {
    decisions.iter().filter_map(|decision| decision.trouble.as_ref().map(|trouble| trouble.class)).collect()
}

#[test]
fn a_reference_with_the_exact_amount_is_decided_at_once() {
    let decision = at_once(&naming("a", 500, "po_one"), &[payout("po_one", 500)]).expect("explained");
    assert_eq!(rules(&[decision]), [MatchRule::TraceId]);
    assert_eq!(at_once(&naming("a", 499, "po_one"), &[payout("po_one", 500)]), None);
    let words = LineFacts { words: vec!["po_one".to_owned()], ..line("a", 500) };
    assert_eq!(
        rules(&[at_once(&words, &[payout("po_one", 500)]).expect("explained")]),
        [MatchRule::StructuredReference]
    );
    let charge = LineFacts { is_charge: true, ..line("a", -250) };
    assert_eq!(rules(&[at_once(&charge, &[]).expect("explained")]), [MatchRule::BankCharge]);
}

#[test]
fn the_amount_and_the_day_explain_only_what_is_unique() {
    let one = decided(&[line("a", 500)], &[payout("po_one", 500)]);
    assert_eq!(rules(&one), [MatchRule::AmountAndDate]);
    let two = decided(&[line("a", 500)], &[payout("po_one", 500), payout("po_two", 500)]);
    assert_eq!(classes(&two), [ExceptionClass::AmbiguousBankLine]);
    let strangers = decided(&[line("a", 500), line("b", 500)], &[payout("po_one", 500)]);
    assert_eq!(classes(&strangers), [ExceptionClass::AmbiguousBankLine; 2]);
    let late = LineFacts { booked_on: DAY + Duration::days(10), ..line("a", 500) };
    assert_eq!(classes(&decided(&[late], &[payout("po_one", 500)])), [ExceptionClass::UnexplainedBankLine]);
}

#[test]
fn twins_are_one_payout_and_a_duplicate() {
    let twin = LineFacts { told: "a".to_owned(), ..line("b", 500) };
    let decisions = decided(&[line("a", 500), twin], &[payout("po_one", 500)]);
    assert_eq!(classes(&decisions), [ExceptionClass::DuplicateBankLine]);
    let named = decided(&[naming("a", 500, "po_one"), naming("b", 500, "po_one")], &[payout("po_one", 500)]);
    assert_eq!(classes(&named), [ExceptionClass::DuplicateBankLine]);
}

#[test]
fn parts_of_a_payout_are_put_together() {
    let decisions = decided(&[line("a", 300), line("b", 200)], &[payout("po_one", 500)]);
    assert_eq!(rules(&decisions), [MatchRule::Split, MatchRule::Split]);
    let named = decided(&[naming("a", 300, "po_one"), naming("b", 200, "po_one")], &[payout("po_one", 500)]);
    assert_eq!(rules(&named), [MatchRule::Split, MatchRule::Split]);
    let other = LineFacts { counterparty: "somebody".to_owned(), ..line("b", 200) };
    assert_eq!(classes(&decided(&[line("a", 300), other], &[payout("po_one", 500)])).len(), 2);
}

#[test]
fn one_line_can_be_several_payouts() {
    let payouts = [payout("po_one", 500), payout("po_two", 700), payout("po_three", 900)];
    let decisions = decided(&[line("a", 1_200)], &payouts);
    assert_eq!(rules(&decisions), [MatchRule::Merged, MatchRule::Merged]);
    let two_ways = [payout("po_one", 500), payout("po_two", 700), payout("po_three", 600), payout("po_four", 600)];
    assert_eq!(classes(&decided(&[line("a", 1_200)], &two_ways)), [ExceptionClass::UnexplainedBankLine]);
}

#[test]
fn a_small_difference_is_a_fee_and_a_large_one_is_wrong() {
    let fee = decided(&[naming("a", 99_500, "po_one")], &[payout("po_one", 100_000)]);
    let parts: Vec<_> = fee[0].parts.iter().map(|part| (part.subject, part.amount_minor)).collect();
    assert_eq!(parts, [(MatchSubject::Payout, 100_000), (MatchSubject::Charges, -500)]);
    let wrong = decided(&[naming("a", 90_000, "po_one")], &[payout("po_one", 100_000)]);
    assert_eq!(classes(&wrong), [ExceptionClass::WrongAmount]);
    assert_eq!(wrong[0].trouble.as_ref().map(|trouble| trouble.amount_minor), Some(-10_000));
}

#[test]
fn another_currency_is_an_exchange_that_somebody_confirms() {
    let usd = PayoutFacts { currency: "USD".parse().expect("in the table"), ..payout("po_one", 1_000) };
    let decisions = decided(&[naming("a", 920, "po_one")], &[usd]);
    assert_eq!(
        (rules(&decisions), classes(&decisions)),
        (vec![MatchRule::Exchange], vec![ExceptionClass::ExchangeDifference])
    );
    assert_eq!(decisions[0].parts[0].settled_minor, 1_000);
}

#[test]
fn what_the_bank_took_back_goes_back_in_transit() {
    let returned = PayoutFacts { is_returned: true, settled_minor: 500, ..payout("po_one", 500) };
    let decision = at_once(&naming("a", -500, "po_one"), &[returned]).expect("explained");
    assert_eq!(decision.parts[0].settled_minor, -500);
}

#[test]
fn a_line_in_suspense_is_decided_only_when_explained() {
    let waiting = LineFacts { in_suspense: true, ..line("a", 500) };
    assert_eq!(decided(std::slice::from_ref(&waiting), &[]), []);
    assert_eq!(decided(&[waiting], &[payout("po_one", 500)])[0].state, BankLineState::Matched);
}

proptest! {
    #[test]
    fn every_new_line_is_decided_once_and_no_payout_is_settled_twice(
        amounts in proptest::collection::vec((1_i64..40, 0_usize..6, 0_i64..4), 0..12),
        payouts in proptest::collection::vec(1_i64..80, 0..6),
    ) {
        let payouts: Vec<PayoutFacts> =
            payouts.iter().enumerate().map(|(place, minor)| payout(&format!("po_{place}"), *minor)).collect();
        let lines: Vec<LineFacts> = amounts.iter().enumerate().map(|(place, (minor, names, days))| LineFacts {
            booked_on: DAY + Duration::days(*days),
            references: if *names < 3 { vec![format!("po_{names}")] } else { Vec::new() },
            ..line(&format!("line_{place}"), *minor)
        }).collect();
        let decisions = decided(&lines, &payouts);
        prop_assert_eq!(decisions.len(), lines.len());
        for payout in &payouts {
            let parts = decisions.iter().flat_map(|decision| &decision.parts);
            let settled: i64 = parts.filter(|part| part.payout.as_ref() == Some(&payout.id)).map(|part| part.settled_minor).sum();
            prop_assert!(settled == 0 || settled == payout.amount_minor);
        }
    }
}
