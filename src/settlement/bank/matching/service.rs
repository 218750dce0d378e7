//! Booking lines: those that references explain one by one, the others together.

use std::collections::{HashMap, HashSet};

use entity::{
    bank_line,
    ids::{BankLineId, BankStatementId},
    states::BankLineState,
};
use time::OffsetDateTime;

use super::{
    super::days,
    entries, facts,
    model::{Decision, LineFacts, PayoutFacts},
    payouts, rules, store,
};
use crate::{
    base::Money,
    db::Tx,
    error::{Error, Problem, Result},
    ledger::{self, NewEntry},
    settlement::exceptions::{self, NewException, detect},
    state::AppState,
};

/// Lines looked at one by one in one transaction.
const LINES_PER_BATCH: u64 = 500;
/// Batches of one round, so that a long statement leaves room for other work.
const BATCHES_PER_ROUND: usize = 20;
/// Lines looked at together.
const LINES_TOGETHER: u64 = 1_000;

/// Books bank lines that are not booked yet; returns how many were looked at.
///
/// Safe to run at any time in any number of processes: who comes second finds the lines booked.
///
/// # Errors
/// Those of the database.
pub async fn book_lines(app: &AppState) -> Result<usize> {
    let mut done = 0;
    for _ in 0..BATCHES_PER_ROUND {
        let Some(import) = store::to_book(app.db.read()).await? else { break };
        if done == 0 {
            payouts::register_payouts(app).await?;
        }
        let lines = store::fresh(app.db.read(), import, LINES_PER_BATCH).await?;
        if lines.is_empty() {
            let now = app.clock.now();
            note_booked(app, import, now).await?;
            done += 1;
            continue;
        }
        let count = lines.len();
        if !unless_raced(one_by_one(app, lines).await)? {
            return Ok(done);
        }
        done += count;
    }
    if store::to_book(app.db.read()).await?.is_some() {
        return Ok(done);
    }
    let left = store::in_state(app.db.read(), BankLineState::Undecided, LINES_TOGETHER).await?;
    if left.is_empty() {
        return Ok(done);
    }
    payouts::register_payouts(app).await?;
    let count = left.len();
    Ok(if unless_raced(all_together(app, left).await)? { done + count } else { done })
}

async fn note_booked(app: &AppState, import: BankStatementId, now: OffsetDateTime) -> Result<()> {
    app.db
        .write("settlement.note_booked_import", move |tx| async move {
            store::note_booked(&tx, import, now).await?;
            detect::request(&tx).await?;
            Ok(((), tx))
        })
        .await
}

/// Tries lines in suspense again; returns how many were explained after all.
///
/// # Errors
/// Those of the database.
pub async fn try_again(app: &AppState) -> Result<usize> {
    payouts::register_payouts(app).await?;
    let waiting = store::in_state(app.db.read(), BankLineState::Suspense, LINES_TOGETHER).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let before = waiting.len();
    unless_raced(all_together(app, waiting).await)?;
    let after = store::in_state(app.db.read(), BankLineState::Suspense, LINES_TOGETHER).await?;
    Ok(before.saturating_sub(after.len()))
}

/// False when another process was quicker: what is left is found in the next round.
fn unless_raced(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.problem == Problem::Conflict => {
            tracing::debug!("another process booked the same bank lines: {error}");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn one_by_one(app: &AppState, rows: Vec<bank_line::Model>) -> Result<()> {
    let lines = rows.iter().map(facts::line_facts).collect::<Result<Vec<_>>>()?;
    let mut payouts = named_by(app, &lines).await?;
    let before = payouts.clone();
    let (mut decisions, mut undecided) = (Vec::new(), Vec::new());
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, payout) in payouts.iter().enumerate() {
        let id = payout.payout_id.map(|id| id.to_string());
        for word in [Some(payout.reference.clone()), payout.trace_id.clone(), id].into_iter().flatten() {
            places.entry(word).or_default().push(place);
        }
    }
    for line in &lines {
        let words = line.references.iter().chain(&line.words);
        let mine: HashSet<usize> = words.filter_map(|word| places.get(word)).flatten().copied().collect();
        let mut few: Vec<PayoutFacts> = Vec::with_capacity(mine.len());
        few.extend(mine.iter().map(|place| payouts[*place].clone()));
        match rules::at_once(line, &few) {
            Some(decision) => {
                for part in &decision.parts {
                    let found = payouts.iter_mut().find(|payout| part.payout.as_ref() == Some(&payout.id));
                    if let Some(payout) = found {
                        payout.settled_minor = payout.settled_minor.saturating_add(part.settled_minor);
                    }
                }
                decisions.push(decision);
            }
            None => undecided.push(line.id),
        }
    }
    book(app, BankLineState::Imported, lines, before, decisions, undecided).await
}

async fn all_together(app: &AppState, rows: Vec<bank_line::Model>) -> Result<()> {
    let from = rows.first().map_or(BankLineState::Undecided, |row| row.state);
    let lines = rows.iter().map(facts::line_facts).collect::<Result<Vec<_>>>()?;
    let mut payouts = named_by(app, &lines).await?;
    let (first, last) = (lines.iter().map(|line| line.booked_on).min(), lines.iter().map(|line| line.booked_on).max());
    if let (Some(first), Some(last)) = (first, last) {
        let known: HashSet<String> = payouts.iter().map(|payout| payout.id.clone()).collect();
        for row in store::open_about(app.db.read(), first, last).await? {
            if !known.contains(&row.id) {
                payouts.push(facts::payout_facts(row)?);
            }
        }
    }
    let (asked, against) = (lines.clone(), payouts.clone());
    let decide = move || rules::together(&asked, &against);
    let decisions = tokio::task::spawn_blocking(decide).await.map_err(Error::internal)?;
    let mut decisions: Vec<Decision> = decisions;
    for decision in &mut decisions {
        let line = lines.iter().find(|line| line.id == decision.line);
        if line.is_some_and(|line| line.in_suspense) {
            leave_suspense(decision);
        }
    }
    if decisions.is_empty() {
        return Ok(());
    }
    book(app, from, lines, payouts, decisions, Vec::new()).await
}

/// A line that leaves suspense keeps the part that put it there, and gets one that takes it away.
fn leave_suspense(decision: &mut Decision) {
    use entity::states::{MatchRule, MatchSubject};
    let sum: i64 = decision.parts.iter().map(|part| part.amount_minor).sum();
    let rule = decision.parts.first().map_or(MatchRule::Manual, |part| part.rule);
    decision.parts.push(super::model::Part::of(rule, MatchSubject::Suspense, -sum));
}

async fn named_by(app: &AppState, lines: &[LineFacts]) -> Result<Vec<PayoutFacts>> {
    let words = lines.iter().flat_map(|line| line.references.iter().chain(&line.words)).cloned().collect();
    let mut seen = HashSet::new();
    let rows = store::named(app.db.read(), words).await?;
    rows.into_iter().filter(|row| seen.insert(row.id.clone())).map(facts::payout_facts).collect()
}

/// Everything that one transaction writes of decisions.
#[derive(Debug, Clone)]
struct Booking {
    from: BankLineState,
    lines: HashMap<BankLineId, LineFacts>,
    decisions: Vec<Decision>,
    undecided: Vec<BankLineId>,
    entries: Vec<NewEntry>,
    /// What was settled of each payout before, and what is added, with the day of the last line.
    settled: Vec<(String, i64, i64, OffsetDateTime)>,
    troubles: Vec<NewException>,
}

async fn book(
    app: &AppState,
    from: BankLineState,
    lines: Vec<LineFacts>,
    payouts: Vec<PayoutFacts>,
    decisions: Vec<Decision>,
    undecided: Vec<BankLineId>,
) -> Result<()> {
    let by_id: HashMap<&str, &PayoutFacts> = payouts.iter().map(|payout| (payout.id.as_str(), payout)).collect();
    let lines: HashMap<BankLineId, LineFacts> = lines.into_iter().map(|line| (line.id, line)).collect();
    let (mut entries, mut troubles) = (Vec::new(), Vec::new());
    let mut settled: HashMap<String, (i64, i64, OffsetDateTime)> = HashMap::new();
    for decision in &decisions {
        let Some(line) = lines.get(&decision.line) else { continue };
        let plain = Decision { parts: entries_parts(decision, line), ..decision.clone() };
        entries.push(entries::entry(line, &plain, &by_id)?);
        troubles.extend(trouble_of(line, decision, &by_id));
        for part in decision.parts.iter().filter(|part| part.settled_minor != 0) {
            let payout = part.payout.as_deref().and_then(|id| by_id.get(id));
            let Some(payout) = payout else { continue };
            let day = days::stored(line.booked_on).0;
            let sum = settled.entry(payout.id.clone()).or_insert((payout.settled_minor, 0, day));
            *sum = (sum.0, sum.1.saturating_add(part.settled_minor), sum.2.max(day));
        }
    }
    // Zero lines move nothing; they are kept and have no entry.
    entries.retain(|entry| entry.lines.iter().any(|line| !line.amount.is_zero()));
    ledger::open_accounts(app, &entries::accounts(&entries)).await?;
    let mut settled: Vec<_> = settled.into_iter().map(|(id, (before, by, at))| (id, before, by, at)).collect();
    // In one order in every process, so that two of them can't wait for each other.
    settled.sort();
    let booking = Booking { from, lines, decisions, undecided, entries, settled, troubles };
    let now = app.clock.now();
    app.db
        .write("settlement.book_bank_lines", move |tx| {
            let booking = booking.clone();
            async move {
                write(&tx, booking, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// The parts that an entry is made of: leaving suspense is the entry's own other side.
fn entries_parts(decision: &Decision, line: &LineFacts) -> Vec<super::model::Part> {
    let mut parts = decision.parts.clone();
    if line.in_suspense {
        parts.pop();
    }
    parts
}

async fn write(tx: &Tx, booking: Booking, now: OffsetDateTime) -> Result<()> {
    let Booking { from, lines, decisions, undecided, entries, settled, troubles } = booking;
    for state in [BankLineState::Matched, BankLineState::Suspense] {
        let of_state = decisions.iter().filter(|decision| decision.state == state);
        let mut ids: Vec<BankLineId> = of_state.map(|decision| decision.line).collect();
        ids.sort();
        store::advance(tx, &ids, from, state).await?;
    }
    store::advance(tx, &undecided, from, BankLineState::Undecided).await?;
    for (id, before, by, at) in settled {
        store::settle_payout(tx, &id, before, by, at).await?;
    }
    let parts: Vec<(&LineFacts, &Decision)> =
        decisions.iter().filter_map(|decision| Some((lines.get(&decision.line)?, decision))).collect();
    store::insert_parts(tx, &parts, now).await?;
    ledger::post(tx, entries, now).await?;
    if from != BankLineState::Suspense {
        detect::request(tx).await?;
    } else {
        let explained: Vec<BankLineId> = decisions.iter().map(|decision| decision.line).collect();
        exceptions::lines_explained(tx, &explained, now).await?;
    }
    exceptions::raise(tx, troubles, now).await
}

fn trouble_of(line: &LineFacts, decision: &Decision, payouts: &HashMap<&str, &PayoutFacts>) -> Option<NewException> {
    let trouble = decision.trouble.as_ref()?;
    let payout = trouble.payout.as_deref().and_then(|id| payouts.get(id));
    let amount = Money::new(line.amount_minor, line.currency);
    let about = payout.map_or_else(String::new, |payout| {
        format!(" It names {}, of {}.", payout.reference, Money::new(payout.amount_minor, payout.currency))
    });
    let sentence = format!("{} shows {amount} on {}.{about}", line.account, line.booked_on);
    let off = Money::new(trouble.amount_minor, line.currency);
    Some(NewException {
        line_id: Some(line.id),
        order_id: trouble.order,
        payout_id: payout.and_then(|payout| payout.payout_id),
        bank_payout_id: trouble.payout.clone(),
        account: Some(line.account.clone()),
        occurred_at: Some(days::stored(line.booked_on).0),
        ..NewException::new(trouble.class, line.id.to_string(), off, sentence)
    })
}
