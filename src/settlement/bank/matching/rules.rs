//! The rules by which lines are explained. Pure: lines and payouts in, decisions out.

use std::collections::{BTreeMap, HashMap};

use entity::{
    ids::OrderId,
    states::{ExceptionClass, MatchRule, MatchSubject},
};

use time::Date;

use super::model::{Decision, LineFacts, Part, PayoutFacts, Trouble, arrival_window, is_fee_sized};

/// Most lines or payouts that one sum is put together from.
const SUM_PARTS_MAX: usize = 4;
/// Lines or payouts of one window that sums are tried over.
const SUM_CANDIDATES_MAX: usize = 14;

/// Decides a line that references explain exactly, or that the bank charges; nothing when it has to be looked
/// at together with others.
pub fn at_once(line: &LineFacts, payouts: &[PayoutFacts]) -> Option<Decision> {
    let (rule, named) = named_by(line, payouts);
    if let [payout] = named.as_slice() {
        let is_whole = payout.currency == line.currency && line.amount_minor == payout.open_minor();
        let gives_back = payout.is_returned && payout.settled_minor > 0 && line.amount_minor == -payout.settled_minor;
        let explained = (is_whole && line.amount_minor > 0) || (gives_back && payout.currency == line.currency);
        return explained.then(|| Decision::explained(line, vec![Part::settles(rule, payout, line.amount_minor)]));
    }
    (named.is_empty() && line.is_charge).then(|| {
        let part = Part::of(MatchRule::BankCharge, MatchSubject::Charges, line.amount_minor);
        Decision::explained(line, vec![part])
    })
}

/// The payouts that a line names, and how.
fn named_by<'a>(line: &LineFacts, payouts: &'a [PayoutFacts]) -> (MatchRule, Vec<&'a PayoutFacts>) {
    let by = |words: &[String]| -> Vec<&'a PayoutFacts> {
        payouts.iter().filter(|payout| words.iter().any(|word| payout.is_named(word))).collect()
    };
    let found = by(&line.references);
    if found.is_empty() { (MatchRule::StructuredReference, by(&line.words)) } else { (MatchRule::TraceId, found) }
}

/// Decides lines together. Every line that is not in suspense yet gets a decision; one in suspense only when it
/// is explained after all.
pub fn together(lines: &[LineFacts], payouts: &[PayoutFacts]) -> Vec<Decision> {
    let mut desk = Desk::new(lines, payouts);
    desk.by_reference();
    desk.by_amount();
    desk.splits();
    desk.merges();
    desk.rest();
    desk.decisions.into_values().collect()
}

/// Lines and payouts that are being worked on.
struct Desk<'a> {
    lines: &'a [LineFacts],
    payouts: &'a [PayoutFacts],
    /// What is still open of each payout, by its place.
    open: Vec<i64>,
    /// The days on which each payout may arrive, first and last, by its place.
    windows: Vec<(Date, Date)>,
    /// Payouts that each line names, by their places.
    named: Vec<Vec<usize>>,
    decisions: BTreeMap<usize, Decision>,
    /// What is wrong with lines that stay unexplained.
    troubles: HashMap<usize, Trouble>,
}

impl<'a> Desk<'a> {
    fn new(lines: &'a [LineFacts], payouts: &'a [PayoutFacts]) -> Self {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        let ids: Vec<Option<String>> = payouts.iter().map(|one| one.payout_id.map(|id| id.to_string())).collect();
        for (place, payout) in payouts.iter().enumerate() {
            let words = [Some(payout.reference.as_str()), payout.trace_id.as_deref(), ids[place].as_deref()];
            for word in words.into_iter().flatten() {
                places.entry(word).or_default().push(place);
            }
        }
        let named = lines.iter().map(|line| {
            let of = |words: &[String]| -> Vec<usize> {
                let mut found: Vec<usize> =
                    words.iter().filter_map(|word| places.get(word.as_str())).flatten().copied().collect();
                found.sort_unstable();
                found.dedup();
                found
            };
            let found = of(&line.references);
            if found.is_empty() { of(&line.words) } else { found }
        });
        Self {
            named: named.collect(),
            open: payouts.iter().map(PayoutFacts::open_minor).collect(),
            windows: payouts.iter().map(|payout| arrival_window(payout.expected_on)).collect(),
            lines,
            payouts,
            decisions: BTreeMap::new(),
            troubles: HashMap::new(),
        }
    }

    fn rule_of(&self, line: usize, payout: usize) -> MatchRule {
        let by_field = self.lines[line].references.iter().any(|word| self.payouts[payout].is_named(word));
        if by_field { MatchRule::TraceId } else { MatchRule::StructuredReference }
    }

    fn explain(&mut self, line: usize, parts: Vec<Part>) {
        self.troubles.remove(&line);
        self.decisions.insert(line, Decision::explained(&self.lines[line], parts));
    }

    /// The line settles as much of the payout as it is of.
    fn settle(&mut self, line: usize, payout: usize, rule: MatchRule) {
        let amount = self.lines[line].amount_minor;
        self.open[payout] -= amount;
        self.explain(line, vec![Part::settles(rule, &self.payouts[payout], amount)]);
    }

    fn trouble(&mut self, line: usize, class: ExceptionClass, amount_minor: i64, payout: Option<usize>) {
        let payout = payout.map(|place| self.payouts[place].id.clone());
        self.troubles.insert(line, Trouble { class, amount_minor, payout, order: None });
    }

    fn by_reference(&mut self) {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for line in 0..self.lines.len() {
            match self.named[line].as_slice() {
                [] => {}
                [payout] => groups.entry(*payout).or_default().push(line),
                _ => self.several_named(line),
            }
        }
        for (payout, mut lines) in groups {
            lines.sort_by_key(|line| (self.lines[*line].booked_on, self.lines[*line].id));
            self.one_named(payout, &lines);
        }
    }

    /// A line that names several payouts: it is their sum, or wrong.
    fn several_named(&mut self, line: usize) {
        let (amount, places) = (self.lines[line].amount_minor, self.named[line].clone());
        let same = places.iter().all(|place| self.payouts[*place].currency == self.lines[line].currency);
        let sum: i128 = places.iter().map(|place| i128::from(self.open[*place])).sum();
        if same && sum == i128::from(amount) && places.iter().all(|place| self.open[*place] > 0) {
            self.merge(line, &places);
        } else {
            self.trouble(line, ExceptionClass::WrongAmount, amount, places.first().copied());
        }
    }

    fn merge(&mut self, line: usize, places: &[usize]) {
        let part = |place: &usize| Part::settles(MatchRule::Merged, &self.payouts[*place], self.open[*place]);
        let parts = places.iter().map(part).collect();
        for place in places {
            self.open[*place] = 0;
        }
        self.explain(line, parts);
    }

    /// Lines that all name one payout.
    fn one_named(&mut self, payout: usize, lines: &[usize]) {
        let facts = &self.payouts[payout];
        let (same, foreign): (Vec<usize>, Vec<usize>) =
            lines.iter().partition(|line| self.lines[**line].currency == facts.currency);
        for line in foreign {
            self.exchange(line, payout);
        }
        let sum: i128 = same.iter().map(|line| i128::from(self.lines[*line].amount_minor)).sum();
        if same.len() > 1 && self.open[payout] > 0 && sum == i128::from(self.open[payout]) {
            for line in same {
                self.settle(line, payout, MatchRule::Split);
            }
            return;
        }
        for line in same {
            self.one_line_named(line, payout);
        }
    }

    fn one_line_named(&mut self, line: usize, payout: usize) {
        let (amount, open) = (self.lines[line].amount_minor, self.open[payout]);
        let facts: &'a PayoutFacts = &self.payouts[payout];
        let rule = self.rule_of(line, payout);
        let gives_back = facts.is_returned && facts.settled_minor > 0 && amount == -facts.settled_minor;
        if gives_back {
            self.explain(line, vec![Part::settles(rule, &self.payouts[payout], amount)]);
        } else if open > 0 && amount == open {
            self.settle(line, payout, rule);
        } else if open > 0 && amount > 0 && is_fee_sized(open, amount, facts.currency) {
            let kept = Part::of(rule, MatchSubject::Charges, amount - open);
            let parts = vec![Part::settles(rule, facts, open), kept];
            self.open[payout] = 0;
            self.explain(line, parts);
        } else if open == 0 && amount > 0 {
            self.trouble(line, ExceptionClass::DuplicateBankLine, amount, Some(payout));
        } else {
            self.trouble(line, ExceptionClass::WrongAmount, amount - open, Some(payout));
        }
    }

    /// A line in another currency than the payout it names: booked as an exchange, for a person to confirm.
    fn exchange(&mut self, line: usize, payout: usize) {
        let (facts, open) = (&self.lines[line], self.open[payout]);
        let class = ExceptionClass::ExchangeDifference;
        if open <= 0 || facts.amount_minor <= 0 || facts.in_suspense {
            self.trouble(line, class, facts.amount_minor, Some(payout));
            return;
        }
        let part = Part {
            payout: Some(self.payouts[payout].id.clone()),
            settled_minor: open,
            ..Part::of(MatchRule::Exchange, MatchSubject::Exchange, facts.amount_minor)
        };
        self.open[payout] = 0;
        let mut decision = Decision::explained(facts, vec![part]);
        let payout = Some(self.payouts[payout].id.clone());
        decision.trouble = Some(Trouble { class, amount_minor: facts.amount_minor, payout, order: None });
        self.decisions.insert(line, decision);
    }

    /// Lines that name no payout and are not decided, the earliest first.
    fn nameless(&self) -> Vec<usize> {
        let free = |line: &usize| {
            let facts = &self.lines[*line];
            facts.amount_minor > 0
                && self.named[*line].is_empty()
                && !self.decisions.contains_key(line)
                && !self.troubles.contains_key(line)
        };
        let mut lines: Vec<usize> = (0..self.lines.len()).filter(free).collect();
        lines.sort_by_key(|line| (self.lines[*line].booked_on, self.lines[*line].id));
        lines
    }

    /// True when the line can be this payout or a part of it, as far as day and currency go.
    fn may_be(&self, line: usize, payout: usize) -> bool {
        let (first, last) = self.windows[payout];
        let line = &self.lines[line];
        (first..=last).contains(&line.booked_on) && self.payouts[payout].currency == line.currency
    }

    fn by_amount(&mut self) {
        let mut by_amount: HashMap<i64, Vec<usize>> = HashMap::new();
        for (place, open) in self.open.iter().enumerate().filter(|(_, open)| **open > 0) {
            by_amount.entry(*open).or_default().push(place);
        }
        let mut rivals: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for line in self.nameless() {
            let equal = by_amount.get(&self.lines[line].amount_minor).map(Vec::as_slice).unwrap_or_default();
            let candidates: Vec<usize> = equal.iter().copied().filter(|place| self.may_be(line, *place)).collect();
            if !candidates.is_empty() {
                rivals.entry(candidates).or_default().push(line);
            }
        }
        // A payout that two lists share is unique for neither.
        let mut wanted: HashMap<usize, usize> = HashMap::new();
        for place in rivals.keys().flatten() {
            *wanted.entry(*place).or_default() += 1;
        }
        for (candidates, lines) in rivals {
            let first = lines[0];
            let twins = lines.iter().all(|line| self.lines[*line].told == self.lines[first].told);
            let [payout] = candidates.as_slice() else {
                self.ambiguous(&lines);
                continue;
            };
            if !twins || wanted.get(payout).is_some_and(|lists| *lists > 1) {
                self.ambiguous(&lines);
                continue;
            }
            self.settle(first, *payout, MatchRule::AmountAndDate);
            for line in &lines[1..] {
                let amount = self.lines[*line].amount_minor;
                self.trouble(*line, ExceptionClass::DuplicateBankLine, amount, Some(*payout));
            }
        }
    }

    fn ambiguous(&mut self, lines: &[usize]) {
        for line in lines {
            self.trouble(*line, ExceptionClass::AmbiguousBankLine, self.lines[*line].amount_minor, None);
        }
    }

    /// Several lines of one sender that sum to one payout.
    fn splits(&mut self) {
        let mut nameless = self.nameless();
        for payout in 0..self.payouts.len() {
            let open = self.open[payout];
            if open <= 0 {
                continue;
            }
            let mut senders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for line in nameless.iter().copied() {
                if self.lines[line].amount_minor < open && self.may_be(line, payout) {
                    senders.entry(&self.lines[line].counterparty).or_default().push(line);
                }
            }
            let found: Vec<Vec<usize>> = senders
                .into_values()
                .filter_map(|lines| only_sum(&lines, open, |line| self.lines[line].amount_minor))
                .collect();
            if let [lines] = found.as_slice() {
                for line in lines {
                    self.settle(*line, payout, MatchRule::Split);
                }
                nameless = self.nameless();
            }
        }
    }

    /// One line that sums several payouts.
    fn merges(&mut self) {
        for line in self.nameless() {
            let amount = self.lines[line].amount_minor;
            let mut candidates: Vec<usize> = (0..self.payouts.len())
                .filter(|place| (1..amount).contains(&self.open[*place]) && self.may_be(line, *place))
                .collect();
            let day = self.lines[line].booked_on;
            candidates.sort_by_key(|place| (self.payouts[*place].expected_on - day).abs());
            if let Some(places) = only_sum(&candidates, amount, |place| self.open[place]) {
                self.merge(line, &places);
            }
        }
    }

    /// What nothing explains.
    fn rest(&mut self) {
        for (place, line) in self.lines.iter().enumerate() {
            if self.decisions.contains_key(&place) || line.in_suspense {
                continue;
            }
            let order = line.words.iter().chain(&line.references).find_map(|word| word.parse::<OrderId>().ok());
            let class =
                if order.is_some() { ExceptionClass::OrderTransfer } else { ExceptionClass::UnexplainedBankLine };
            let plain = Trouble { class, amount_minor: line.amount_minor, payout: None, order };
            let trouble = self.troubles.remove(&place).unwrap_or(plain);
            self.decisions.insert(place, Decision::troubled(line, trouble));
        }
    }
}

/// The only way in which two to [`SUM_PARTS_MAX`] of the first [`SUM_CANDIDATES_MAX`] items sum to `total`;
/// nothing when there is none, or more than one.
fn only_sum(items: &[usize], total: i64, value: impl Fn(usize) -> i64) -> Option<Vec<usize>> {
    let items = &items[..items.len().min(SUM_CANDIDATES_MAX)];
    let mut found = Vec::new();
    let mut chosen = Vec::with_capacity(SUM_PARTS_MAX);
    search(items, total, &value, &mut chosen, &mut found);
    if found.len() == 1 { found.pop() } else { None }
}

/// Adds to `found` every choice that sums to what is `left`; stops at the second.
fn search(
    items: &[usize],
    left: i64,
    value: &impl Fn(usize) -> i64,
    chosen: &mut Vec<usize>,
    found: &mut Vec<Vec<usize>>,
) {
    if left == 0 && chosen.len() >= 2 {
        found.push(chosen.clone());
        return;
    }
    if left <= 0 || chosen.len() == SUM_PARTS_MAX {
        return;
    }
    for (place, item) in items.iter().enumerate() {
        if found.len() > 1 {
            return;
        }
        chosen.push(*item);
        search(&items[place + 1..], left - value(*item), value, chosen, found);
        chosen.pop();
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
