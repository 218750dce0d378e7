//! Booking lines: those that references explain one by one, the others together.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use entity::{
    bank_line,
    ids::{BankLineId, BankStatementId},
    states::BankLineState,
};
use futures::future::join_all;
use time::OffsetDateTime;

use super::{
    super::days,
    entries, facts,
    model::{Decision, LineFacts, PayoutFacts},
    names, payouts, rules,
    store::{self, Lane, Settled},
    transfers,
};
use crate::{
    base::{Money, MoneyError},
    db::Tx,
    error::{Error, Problem, Result},
    ledger::{self, NewEntry},
    settlement::exceptions::{self, NewException, detect},
    state::AppState,
};

/// Lines looked at one by one in one transaction.
const LINES_PER_BATCH: u64 = 1_000;
/// Batches of a long statement that are worked on at the same time.
const LANES: u8 = 4;
/// Batches, or as many at the same time, of one round, so that a long statement leaves room for other work.
const BATCHES_PER_ROUND: usize = 10;
/// Lines looked at together.
const LINES_TOGETHER: u64 = 1_000;
/// Most lines in suspense that are tried again in one go, those of the oldest days.
const LINES_AGAIN_MAX: usize = 20_000;

/// Books bank lines that are not booked yet; returns how many were looked at.
///
/// First each line is looked at by itself, of all imports; what is left then together. An import is booked when none of its
/// lines waits any more. Safe to run at any time in any number of processes: who comes second finds the lines booked.
///
/// # Errors
/// Those of the database.
pub async fn book_lines(app: &AppState) -> Result<usize> {
    let (mut done, mut begun, mut long) = (0, BTreeSet::new(), None);
    for _ in 0..BATCHES_PER_ROUND {
        if let Some(import) = long {
            let (count, alone) = side_by_side(app, import).await?;
            done += count;
            // Two lanes that met at a payout may meet again; one alone gets by.
            long = (alone && count > 0).then_some(import);
            if alone {
                continue;
            }
        }
        let imports = store::to_book(app.db.read()).await?;
        let Some((import, lines)) = first_fresh(app, &imports).await? else {
            let left = store::in_state(app.db.read(), BankLineState::Undecided, None, LINES_TOGETHER).await?;
            if left.is_empty() {
                note_booked(app, &imports).await?;
                return Ok(done + imports.len());
            }
            let count = left.len();
            if begun.insert(None) {
                payouts::register_payouts(app).await?;
            }
            if !unless_raced(all_together(app, left).await.map(drop))? {
                return Ok(done);
            }
            done += count;
            continue;
        };
        if begun.insert(Some(import)) && !store::is_begun(app.db.read(), import).await? {
            payouts::register_payouts(app).await?;
        }
        let count = lines.len();
        if !unless_raced(one_by_one(app, lines).await)? {
            return Ok(done);
        }
        done += count;
        long = u64::try_from(count).is_ok_and(|count| count == LINES_PER_BATCH).then_some(import);
    }
    Ok(done)
}

/// Lines that nobody looked at, of the oldest import that has some.
async fn first_fresh(
    app: &AppState,
    imports: &[BankStatementId],
) -> Result<Option<(BankStatementId, Vec<bank_line::Model>)>> {
    for import in imports {
        let lines = store::fresh(app.db.read(), *import, Lane::WHOLE, LINES_PER_BATCH).await?;
        if !lines.is_empty() {
            return Ok(Some((*import, lines)));
        }
    }
    Ok(None)
}

/// Books a batch of each lane at the same time: one is prepared while another is written. Returns how many lines were
/// looked at, and false when a lane met another at a payout, or another process.
async fn side_by_side(app: &AppState, import: BankStatementId) -> Result<(usize, bool)> {
    let work = |lane: Lane| async move {
        let lines = store::fresh(app.db.read(), import, lane, LINES_PER_BATCH).await?;
        let count = lines.len();
        if count > 0 && !unless_raced(one_by_one(app, lines).await)? {
            return Ok((0, false));
        }
        Ok::<_, Error>((count, true))
    };
    // One that fails lets the others finish.
    let outcomes = join_all((0..LANES).map(|place| work(Lane { place, of: LANES }))).await;
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    Ok((outcomes.iter().map(|(count, _)| count).sum(), outcomes.iter().all(|(_, alone)| *alone)))
}

/// True while lines wait that nobody looked at.
///
/// # Errors
/// Those of the database.
pub async fn is_busy(app: &AppState) -> Result<bool> {
    let undecided = || store::in_state(app.db.read(), BankLineState::Undecided, None, 1);
    Ok(!store::to_book(app.db.read()).await?.is_empty() || !undecided().await?.is_empty())
}

/// Notes that no line of these imports waits, and asks that everything is looked through.
async fn note_booked(app: &AppState, imports: &[BankStatementId]) -> Result<()> {
    if imports.is_empty() {
        return Ok(());
    }
    let (imports, now) = (imports.to_vec(), app.clock.now());
    app.db
        .write("settlement.note_booked_import", move |tx| {
            let imports = imports.clone();
            async move {
                store::note_booked(&tx, &imports, now).await?;
                detect::request(&tx).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Tries lines in suspense again; returns how many were explained after all.
///
/// # Errors
/// Those of the database.
pub async fn try_again(app: &AppState) -> Result<usize> {
    payouts::register_payouts(app).await?;
    let (mut explained, mut looked_at, mut after) = (0, 0, None);
    while looked_at < LINES_AGAIN_MAX {
        let waiting = store::in_state(app.db.read(), BankLineState::Suspense, after, LINES_TOGETHER).await?;
        let Some(last) = waiting.last() else { break };
        after = Some((last.booked_on.micros(), last.id));
        looked_at += waiting.len();
        match all_together(app, waiting).await {
            Ok(count) => explained += count,
            Err(error) => {
                unless_raced(Err(error))?;
            }
        }
    }
    Ok(explained)
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
    let (mut decisions, mut undecided, mut nameless) = (Vec::new(), Vec::new(), Vec::new());
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    let mut of_id: HashMap<String, usize> = HashMap::new();
    for (place, payout) in payouts.iter().enumerate() {
        let id = payout.payout_id.map(|id| id.to_string());
        of_id.insert(payout.id.clone(), place);
        for word in [Some(payout.reference.clone()), payout.trace_id.clone(), id].into_iter().flatten() {
            places.entry(word).or_default().push(place);
        }
    }
    for line in &lines {
        let words = line.references.iter().chain(&line.words);
        let mine: BTreeSet<usize> = words.filter_map(|word| places.get(word)).flatten().copied().collect();
        let few: Vec<PayoutFacts> = mine.iter().map(|place| payouts[*place].clone()).collect();
        match rules::at_once(line, &few) {
            Some(decision) => {
                for part in &decision.parts {
                    if let Some(place) = part.payout.as_ref().and_then(|id| of_id.get(id)) {
                        let payout = &mut payouts[*place];
                        payout.settled_minor = payout.settled_minor.saturating_add(part.settled_minor);
                    }
                }
                decisions.push(decision);
            }
            None if few.is_empty() && line.amount_minor != 0 => nameless.push(line.clone()),
            None => undecided.push(line.id),
        }
    }
    let named = names::named(app.db.read(), &nameless).await?;
    let (transfers, others): (Vec<_>, Vec<_>) = nameless.into_iter().partition(|line| named.contains_key(&line.id));
    undecided.extend(others.iter().map(|line| line.id));
    book(app, BankLineState::Imported, lines, before, decisions, undecided).await?;
    let transfers = transfers.into_iter().filter_map(|line| Some((named.get(&line.id).copied()?, line)));
    let left = transfers::book_all(app, transfers.map(|(named, line)| (line, named)).collect()).await?;
    if left.is_empty() {
        return Ok(());
    }
    app.db
        .write("settlement.leave_bank_lines", move |tx| {
            let left = left.clone();
            async move {
                store::advance(&tx, &left, BankLineState::Imported, BankLineState::Undecided).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Returns how many were decided.
async fn all_together(app: &AppState, rows: Vec<bank_line::Model>) -> Result<usize> {
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
    // Lines of one look are all in one state.
    if from == BankLineState::Suspense {
        decisions.iter_mut().for_each(leave_suspense);
    }
    let count = decisions.len();
    if count > 0 {
        book(app, from, lines, payouts, decisions, Vec::new()).await?;
    }
    Ok(count)
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
#[derive(Debug)]
struct Booking {
    from: BankLineState,
    lines: HashMap<BankLineId, LineFacts>,
    decisions: Vec<Decision>,
    undecided: Vec<BankLineId>,
    entries: Vec<NewEntry>,
    /// What is settled of each payout, in one order in every process, so that two can't wait for each other.
    settled: Vec<Settled>,
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
    let mut settled: BTreeMap<String, Settled> = BTreeMap::new();
    for decision in &decisions {
        let Some(line) = lines.get(&decision.line) else { continue };
        let plain = Decision { parts: entries_parts(decision, line), ..decision.clone() };
        entries.push(entries::entry(line, &plain, &by_id)?);
        troubles.extend(trouble_of(line, decision, &by_id));
        for part in decision.parts.iter().filter(|part| part.settled_minor != 0) {
            let payout = part.payout.as_deref().and_then(|id| by_id.get(id));
            let Some(payout) = payout else { continue };
            let day = days::stored(line.booked_on).0;
            let (before_minor, payout) = (payout.settled_minor, payout.id.clone());
            let fresh = Settled { payout: payout.clone(), before_minor, after_minor: before_minor, at: day };
            let sum = settled.entry(payout).or_insert(fresh);
            sum.after_minor = sum.after_minor.checked_add(part.settled_minor).ok_or(MoneyError::Overflow)?;
            sum.at = sum.at.max(day);
        }
    }
    // Zero lines move nothing; they are kept and have no entry.
    entries.retain(|entry| entry.lines.iter().any(|line| !line.amount.is_zero()));
    ledger::open_accounts(app, &entries::accounts(&entries)).await?;
    let settled = settled.into_values().collect();
    let booking = Arc::new(Booking { from, lines, decisions, undecided, entries, settled, troubles });
    let now = app.clock.now();
    app.db
        .write("settlement.book_bank_lines", move |tx| {
            let booking = booking.clone();
            async move {
                write(&tx, &booking, now).await?;
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

async fn write(tx: &Tx, booking: &Booking, now: OffsetDateTime) -> Result<()> {
    let Booking { from, lines, decisions, undecided, entries, settled, troubles } = booking;
    let from = *from;
    for state in [BankLineState::Matched, BankLineState::Suspense] {
        let of_state = decisions.iter().filter(|decision| decision.state == state);
        let mut ids: Vec<BankLineId> = of_state.map(|decision| decision.line).collect();
        ids.sort();
        store::advance(tx, &ids, from, state).await?;
    }
    store::advance(tx, undecided, from, BankLineState::Undecided).await?;
    store::settle_payouts(tx, settled).await?;
    let parts: Vec<(&LineFacts, &Decision)> =
        decisions.iter().filter_map(|decision| Some((lines.get(&decision.line)?, decision))).collect();
    store::insert_parts(tx, &parts, now).await?;
    ledger::post(tx, entries.clone(), now).await?;
    // What is booked of an import is looked through when all of it is, so that batches don't queue behind one row.
    if from == BankLineState::Suspense {
        let explained: Vec<BankLineId> = decisions.iter().map(|decision| decision.line).collect();
        exceptions::lines_explained(tx, &explained, now).await?;
    }
    exceptions::raise(tx, troubles.clone(), now).await
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
