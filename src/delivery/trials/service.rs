//! Setting what may be asked, and asking.

use std::{collections::BTreeSet, sync::Arc};

use entity::{
    Timestamp,
    ids::{ListingId, OrgId, TrialReportId},
    listing,
    states::ListingState,
    trial_question, trial_report,
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::task::spawn_blocking;
use torv_trial::{Noise, Plan, Seed, Terms};

use super::{
    batch::{self, Questions},
    model::{Budget, costs},
    policy::TrialPolicyIn,
    report::{self, Answered, Subject},
    store,
    views::{TrialPolicyView, TrialQuestionsIn},
};
use crate::{
    auth::Actor,
    base::digest,
    catalog::{listings, revisions},
    db::{
        Tx,
        idempotency::{Claim, IdempotencyKey, claim, find_claim},
    },
    delivery::tables::{Footer, TableFile, tables_of_listing},
    error::{Error, FieldError, Problem, Result},
    http::extract::IdempotencyHeader,
    limits,
    people::audit,
    settlement::proof,
    state::AppState,
};

/// Requires that `owner` owns the listing.
///
/// # Errors
/// `NotFound` for anybody else's.
pub(super) async fn require_owner(conn: &impl ConnectionTrait, id: ListingId, owner: OrgId) -> Result<()> {
    let row = listings::find_visible(conn, id, Some(owner)).await?;
    if row.organization_id == owner { Ok(()) } else { Err(Error::not_found("listing")) }
}

/// Sets what may be asked about a listing of the actor's.
///
/// # Errors
/// `NotFound`; `Invalid` for a policy that shows too much or makes no sense.
pub(super) async fn set_policy(app: &AppState, actor: Actor, id: ListingId, input: TrialPolicyIn) -> Result<()> {
    require_owner(app.db.read(), id, actor.org_id()).await?;
    let (policy, now) = (input.checked()?, app.clock.now());
    app.db
        .write("delivery.set_trial_policy", move |tx| {
            let (actor, policy) = (actor.clone(), policy.clone());
            async move {
                let detail = json!({"enabled": policy.enabled, "questions_max": policy.questions_max,
                    "listing_questions_max": policy.listing_questions_max, "epsilon_milli": policy.epsilon_milli});
                store::put_policy(&tx, policy.row(id, now)?).await?;
                audit::record(&tx, &actor, "listing.set_trial_policy", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// The policy of a listing that was found to be visible, with what is left for `viewer`.
///
/// # Errors
/// Those of the database.
pub(super) async fn show_policy(app: &AppState, id: ListingId, viewer: Option<OrgId>) -> Result<TrialPolicyView> {
    let conn = app.db.read();
    let policy = store::policy(conn, id).await?.map(TrialPolicyIn::of).transpose()?;
    let policy = policy.unwrap_or_else(TrialPolicyIn::absent);
    let budgets = match viewer.filter(|_| policy.enabled) {
        Some(viewer) => Some(store::budgets(conn, id, viewer, policy.budgets_milli(), app.clock.now()).await?),
        None => None,
    };
    Ok(TrialPolicyView::of(id, policy, budgets.as_ref()))
}

/// What is kept of a request.
#[derive(Debug, Clone)]
struct Facts {
    id: TrialReportId,
    at: OffsetDateTime,
    listing: ListingId,
    asker: OrgId,
    policy: TrialPolicyIn,
    table: TableFile,
    kinds: Vec<&'static str>,
    /// Keyed digests, one for each question: equal for questions that get the same answer.
    fingerprints: Vec<String>,
}

/// What a request asks, read and found good.
struct Asked {
    facts: Facts,
    listing: listing::Model,
    terms: Terms,
    footer: Arc<Footer>,
    plans: Vec<Plan>,
    noises: Vec<Noise>,
}

/// Answers questions about a table, and writes the signed report down; a repeated request finds the one it made.
///
/// # Errors
/// `NotFound`; `Conflict` where nothing may be asked; `Invalid` for questions that can't be answered, none of which
/// depends on a row; `TooMany` when too few questions are left.
pub(super) async fn ask(
    app: &AppState,
    actor: &Actor,
    id: ListingId,
    input: TrialQuestionsIn,
    header: &IdempotencyHeader,
) -> Result<trial_report::Model> {
    let asker = actor.org_id();
    let listing = listings::find_visible(app.db.read(), id, Some(asker)).await?;
    if !actor.organization.may_buy {
        return Err(Error::forbidden("Your organisation is not set up to order. Its owner can change that."));
    }
    // Of the request only a keyed digest is kept, for it may hold keys that could be guessed.
    let digest = app.secrets.trial_digest("request", &digest::canonical_json(&input)?);
    let key = header.for_request(&format!("trial-reports:{id}:{asker}"), &digest::hex(&digest))?;
    let made = match made_under(app, &key).await? {
        Some(earlier) => earlier,
        None => {
            let asked = read(app, asker, listing, input).await?;
            let facts = asked.facts.clone();
            // Asked again in the transaction that counts them; here it saves the work.
            match price(app.db.read(), &facts).await {
                Ok(_) => {
                    let document = answer(app, asked).await?;
                    write(app, actor, facts, document, key).await?
                }
                // The same request may have been answered since, and have taken the last that was left.
                Err(refused) => made_under(app, &key).await?.ok_or(refused)?,
            }
        }
    };
    store::find(app.db.read(), made, asker).await?.ok_or_else(|| Error::not_found("trial report"))
}

/// The report that was made under this key.
async fn made_under(app: &AppState, key: &IdempotencyKey) -> Result<Option<TrialReportId>> {
    let earlier = find_claim(app.db.read(), key).await?;
    earlier.map(|id| id.parse().map_err(Error::internal)).transpose()
}

/// Reads the questions as ones about the newest table.
async fn read(app: &AppState, asker: OrgId, listing: listing::Model, input: TrialQuestionsIn) -> Result<Asked> {
    let conn = app.db.read();
    let policy = store::policy(conn, listing.id).await?.map(TrialPolicyIn::of).transpose()?;
    let on_sale = listing.state == ListingState::Published || listing.organization_id == asker;
    let Some(policy) = policy.filter(|policy| policy.enabled && on_sale) else {
        return Err(Error::conflict("No questions about this listing are answered before a purchase."));
    };
    let most = limits::TRIAL_QUESTIONS_PER_REPORT_MAX;
    if !(1..=most).contains(&input.questions.len()) {
        return Err(Error::invalid("/questions", format!("Ask 1 to {most} questions.")));
    }
    let table = pick(tables_of_listing(conn, listing.id).await?, input.file.as_deref())?;
    let footer = app.tables.footer(&app.files, &table).await?;
    let (schema, terms) = (batch::columns(&footer.schema), policy.terms());
    let (mut plans, mut wrong) = (Vec::new(), Vec::new());
    for (at, question) in input.questions.iter().enumerate() {
        match Plan::of(question, &schema, &terms) {
            Ok(plan) => plans.push(plan),
            Err(refused) => wrong
                .push(FieldError { pointer: format!("/questions/{at}{}", refused.pointer), detail: refused.detail }),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid_fields(wrong));
    }
    let (mut fingerprints, mut noises) = (Vec::new(), Vec::new());
    for plan in &plans {
        // The same bytes in a later revision, or in another listing, are the same table: republishing averages nothing.
        let text = digest::canonical_json(&json!({"table": table.sha256, "asked": plan.identity(&terms)}))?;
        fingerprints.push(digest::hex(&app.secrets.trial_digest("question", &text)));
        noises.push(Noise::Sticky(Seed(app.secrets.trial_digest("noise", &text))));
    }
    let (at, kinds) = (app.clock.now(), plans.iter().map(|plan| plan.kind.as_str()).collect());
    let facts = Facts { id: TrialReportId::at(at), at, listing: listing.id, asker, policy, table, kinds, fingerprints };
    Ok(Asked { facts, listing, terms, footer, plans, noises })
}

/// The table of this name, or the only one.
fn pick(mut tables: Vec<TableFile>, name: Option<&str>) -> Result<TableFile> {
    let stem = |table: &TableFile| table.name.rsplit_once('.').map_or(table.name.clone(), |(stem, _)| stem.to_owned());
    let named = match name {
        Some(name) => tables.iter().position(|table| table.name == name || stem(table) == name),
        None => (tables.len() == 1).then_some(0),
    };
    if tables.is_empty() {
        let advice = "No file of this listing can be asked about: its tables are not ready yet, or it has none.";
        return Err(Error::conflict(advice));
    }
    let names: Vec<&str> = tables.iter().take(30).map(|table| table.name.as_str()).collect();
    let advice = format!("Name the file, one of: {}.", names.join(", "));
    named.map(|at| tables.swap_remove(at)).ok_or_else(|| Error::invalid("/file", advice))
}

/// What each question costs, if there is room for all of them.
async fn price(conn: &impl ConnectionTrait, facts: &Facts) -> Result<Vec<(i32, i32)>> {
    let known = store::known(conn, facts.listing, facts.asker, &facts.fingerprints).await?;
    let costs = costs(&facts.fingerprints, facts.policy.epsilon_milli, (&known.0, &known.1));
    let budgets = facts.policy.budgets_milli();
    let (own, all) = store::budgets(conn, facts.listing, facts.asker, budgets, facts.at).await?;
    let of = |part: fn(&(i32, i32)) -> i32| costs.iter().map(|cost| i64::from(part(cost))).sum::<i64>();
    let whose = ["your organisation", "all organisations together"];
    for ((budget, needed), whose) in [(own, of(|cost| cost.0)), (all, of(|cost| cost.1))].into_iter().zip(whose) {
        require_room(&budget, needed, (whose, facts))?;
    }
    Ok(costs)
}

fn require_room(budget: &Budget, needed_milli: i64, (whose, facts): (&str, &Facts)) -> Result<()> {
    let each = i64::from(facts.policy.epsilon_milli.max(1));
    if needed_milli > budget.max_milli {
        let most = budget.max_milli / each;
        return Err(Error::invalid("/questions", format!("Ask at most {most} new questions.")));
    }
    let Some(at) = budget.room_at(needed_milli) else { return Ok(()) };
    let seconds = (at - facts.at).max(Duration::SECOND).whole_seconds();
    let (left, days) = (budget.left_milli() / each, limits::TRIAL_WINDOW_DAYS);
    let when = at.format(&Rfc3339).map_err(Error::internal)?;
    let detail = format!(
        "Of the questions about this listing that {whose} may ask in {days} days {left} are left, and {} are needed. \
         There is room from {when} on; what was asked before can be asked again at any time.",
        needed_milli / each
    );
    let retry_after_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
    Err(Error { retry_after_seconds, ..Error::new(Problem::TooMany, detail) })
}

/// Reads the whole table once, answers, and signs.
async fn answer(app: &AppState, asked: Asked) -> Result<String> {
    let Asked { facts, listing, terms, footer, plans, noises } = asked;
    let columns: BTreeSet<usize> = plans.iter().flat_map(|plan| plan.columns.iter().copied()).collect();
    // To count rows one column has to be read.
    let columns: Vec<usize> = if columns.is_empty() { vec![0] } else { columns.into_iter().collect() };
    let read = app.tables.fold(&app.files, &facts.table, &footer, (&columns, Questions(plans))).await;
    let Questions(plans) = read.map_err(|error| match error.problem {
        Problem::Invalid => {
            Error::invalid("/questions", "Reading the whole table takes too long. Ask about fewer columns.")
        }
        _ => error,
    })?;
    let made = spawn_blocking(move || {
        let each = plans.into_iter().zip(noises).zip(facts.fingerprints.clone());
        let answered: Vec<Answered> = each
            .map(|((plan, noise), fingerprint)| Answered {
                answer: plan.answer(&noise, &terms),
                question: plan.shown,
                fingerprint,
            })
            .collect();
        (facts, answered)
    });
    let (facts, answered) = made.await.map_err(Error::internal)?;
    let profile = revisions::shown_profile(app.db.read(), facts.table.id, listing.personal_data).await?;
    let signer = proof::signer(app).await?;
    let subject = Subject {
        id: facts.id,
        listing: &listing,
        asked_by: facts.asker,
        asked_at: facts.at,
        table: &facts.table,
        profile,
    };
    report::sign(&subject, &facts.policy, &answered, &signer)
}

/// Writes a report and what it cost down, in one transaction with the key of its request.
async fn write(
    app: &AppState,
    actor: &Actor,
    facts: Facts,
    document: String,
    key: IdempotencyKey,
) -> Result<TrialReportId> {
    let by = actor.clone();
    app.db
        .write("delivery.ask_trial_questions", move |tx| {
            let (actor, facts, document, key) = (by.clone(), facts.clone(), document.clone(), key.clone());
            async move {
                if let Claim::Replay(earlier) = claim(&tx, &key, &facts.id.to_string(), facts.at).await? {
                    return Ok((earlier.parse().map_err(Error::internal)?, tx));
                }
                count(&tx, &facts, document).await?;
                let detail = json!({"listing": facts.listing, "kinds": facts.kinds});
                audit::record(&tx, &actor, "trial_report.create", facts.id, detail, facts.at).await?;
                Ok((facts.id, tx))
            }
        })
        .await
}

/// Counts the questions while nobody else counts any of this listing.
async fn count(tx: &Tx, facts: &Facts, document: String) -> Result<()> {
    let policy = store::lock_policy(tx, facts.listing).await?.map(TrialPolicyIn::of).transpose()?;
    if policy.as_ref() != Some(&facts.policy) {
        return Err(Error::conflict("The owner has just changed what may be asked. Read the policy, and ask again."));
    }
    let costs = price(tx.conn(), facts).await?;
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let report = trial_report::Model {
        id: facts.id,
        listing_id: facts.listing,
        organization_id: facts.asker,
        file_id: facts.table.id,
        file_name: facts.table.name.clone(),
        revision_number: facts.table.number,
        question_count: number(costs.len()),
        new_question_count: number(costs.iter().filter(|(own, _)| *own > 0).count()),
        document,
        created_at: Timestamp(facts.at),
    };
    let questions = costs.iter().zip(&facts.fingerprints).zip(&facts.kinds).enumerate();
    let questions =
        questions.map(|(at, (((cost_milli, listing_cost_milli), fingerprint), kind))| trial_question::Model {
            report_id: facts.id,
            position: number(at),
            listing_id: facts.listing,
            organization_id: facts.asker,
            kind: (*kind).to_owned(),
            fingerprint: fingerprint.clone(),
            cost_milli: *cost_milli,
            listing_cost_milli: *listing_cost_milli,
            asked_at: Timestamp(facts.at),
        });
    store::insert(tx, report, questions.collect()).await
}
