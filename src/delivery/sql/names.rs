//! Which tables a query can read, and by which names.

use std::collections::{BTreeMap, HashMap};

use super::views::SqlTableIn;
use crate::{
    auth::actor::Recipient,
    delivery::tables::{self, Share, Table},
    error::{Check, Error, Result},
    limits,
    state::AppState,
};

/// A table that can be asked.
#[derive(Debug, Clone)]
pub(super) struct Askable {
    pub(super) share: Share,
    pub(super) table: Table,
    /// Its name alone, where no other table has it.
    pub(super) short: Option<String>,
}

impl Askable {
    /// Share, schema and table, by the names of Delta Sharing.
    pub(super) fn full(&self) -> Vec<String> {
        vec![self.share.name.clone(), self.share.schema.clone(), self.table.name.clone()]
    }
}

/// A table under the names that a query has for it.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) share: Share,
    pub(super) table: Table,
    pub(super) names: Vec<Vec<String>>,
}

/// The tables of the newest grants that are open to `recipient`.
///
/// # Errors
/// Those of a token's own grant when it is not open; those of the database.
pub(super) async fn list(app: &AppState, recipient: &Recipient) -> Result<Vec<Askable>> {
    let shares = tables::list_shares(app, recipient, None, limits::SQL_GRANTS_MAX).await?;
    let mut all = Vec::new();
    for share in shares.items {
        for table in tables::list_tables(app, &share).await? {
            all.push(Askable { share: share.clone(), table, short: None });
        }
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for one in &all {
        *counts.entry(one.table.name.to_lowercase()).or_default() += 1;
    }
    for one in &mut all {
        let is_alone = counts.get(&one.table.name.to_lowercase()) == Some(&1);
        one.short = is_alone.then(|| one.table.name.clone());
    }
    Ok(all)
}

/// The tables that a query can mean: those it was given names for, else those whose names occur in it. What is handed
/// to the process beyond what it reads costs a link, or a copy out of a bucket.
///
/// # Errors
/// `NotFound` for a grant or a file that is not `recipient`'s; those of grants that are not open; `Invalid` for names.
pub(super) async fn of_query(
    app: &AppState,
    recipient: &Recipient,
    sql: &str,
    given: &BTreeMap<String, SqlTableIn>,
) -> Result<Vec<Named>> {
    if given.is_empty() {
        let all = list(app, recipient).await?.into_iter().filter(|one| sql.contains(&one.table.name));
        let named = all.map(|one| {
            let names = one.short.clone().map(|short| vec![short]).into_iter().chain([one.full()]).collect();
            Named { share: one.share, table: one.table, names }
        });
        return Ok(named.collect());
    }
    check_names(given)?;
    let mut named = Vec::with_capacity(given.len());
    for (name, wanted) in given {
        let share = tables::find_grant_share(app, recipient, wanted.grant).await?;
        let table = match &wanted.file {
            Some(file) => tables::table_named(app, &share, file).await?,
            None => only_one(tables::list_tables(app, &share).await?, name)?,
        };
        named.push(Named { share, table, names: vec![vec![name.clone()]] });
    }
    Ok(named)
}

fn check_names(given: &BTreeMap<String, SqlTableIn>) -> Result<()> {
    let mut check = Check::new();
    let advice = format!("Name at most {} tables.", limits::SQL_TABLES_MAX);
    check.require(given.len() <= limits::SQL_TABLES_MAX, "/tables", advice);
    for name in given.keys() {
        check.name(name, limits::SQL_NAME_CHARS_MAX, &pointer(name));
    }
    check.done()
}

fn pointer(name: &str) -> String {
    format!("/tables/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn only_one(mut all: Vec<Table>, name: &str) -> Result<Table> {
    match (all.pop(), all.as_slice()) {
        (None, _) => Err(Error::not_found("table")),
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let names: Vec<&str> = others.iter().chain([&last]).map(|table| table.name.as_str()).take(30).collect();
            let detail = format!("This grant opens several tables. Name the file, one of: {}.", names.join(", "));
            Err(Error::invalid(format!("{}/file", pointer(name)), detail))
        }
    }
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(parts: &[String]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    parts.join(".")
}
