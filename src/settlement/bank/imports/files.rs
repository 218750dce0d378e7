//! Which reader a file gets, and which account its lines go to.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
};

use entity::bank_account;
use torv_bank::{AccountId, CsvProfile, FileKind, Format, Settings, StatementHead, limits, sniff};

use super::{super::accounts, FormatName, Request};
use crate::{
    base::Currency,
    error::{Error, Result},
};

/// Bytes read from disk in one go.
const BUFFER_BYTES: usize = 1 << 18;

/// How a file is to be read, and whose lines may be in it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it is written.
    pub format: FormatName,
    /// The layout of a table.
    pub profile: Option<CsvProfile>,
    /// The account of a table that does not name it.
    pub account: Option<AccountId>,
    /// Short name and currency of each known account, by its number.
    known: HashMap<String, Vec<(String, String)>>,
}

impl Plan {
    /// Looks at the file's first bytes and at what was asked for. Blocks on the file.
    ///
    /// # Errors
    /// `Invalid` for a file of no known kind, an unknown account, or a table without a layout.
    pub fn new(request: &Request, rows: &[bank_account::Model]) -> Result<Self> {
        let format = match request.format {
            Some(format) => format,
            None => sniffed(&request.path)?,
        };
        let mut known: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for row in rows {
            known.entry(row.number.clone()).or_default().push((row.name.clone(), row.currency.clone()));
        }
        let chosen = request.account.as_deref().map(|name| chosen(rows, name)).transpose()?;
        let mut plan = Self { format, profile: None, account: chosen.map(|row| AccountId::parse(&row.number)), known };
        if let Some(row) = chosen {
            // A number can have an account per currency: the one that was named counts.
            plan.known = HashMap::from([(row.number.clone(), vec![(row.name.clone(), row.currency.clone())])]);
        }
        if format == FormatName::Csv {
            let own = chosen.map(accounts::profile_of).transpose()?.flatten();
            let advice = "Name the account whose layout reads this table (`account`), or a built-in layout (`layout`).";
            let profile = request.layout.map(accounts::CsvLayout::profile).or(own);
            plan.profile = Some(profile.ok_or_else(|| Error::invalid("account", advice))?);
        }
        Ok(plan)
    }

    /// The reader of a statement; nothing for a payout report.
    pub fn statement_format(&self) -> Option<Format> {
        match self.format {
            FormatName::Camt053 => Some(Format::Camt053),
            FormatName::Mt940 => Some(Format::Mt940),
            FormatName::Csv => self.profile.clone().map(|profile| Format::Csv(Box::new(profile))),
            FormatName::PayoutReport => None,
        }
    }

    /// What the readers need to know.
    pub fn settings(&self) -> Settings {
        let exponent_of = |code: &str| code.parse::<Currency>().ok().map(Currency::exponent);
        Settings { account: self.account.clone(), ..Settings::new(exponent_of) }
    }

    /// The short name of the account that a statement is of.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence: an account that is not ours, or another currency than its own.
    pub fn account_of(&self, head: &StatementHead) -> Result<&str, String> {
        let number = head.account.as_str();
        let Some(known) = self.known.get(number) else {
            return Err(format!(
                "the statement is of the account {number}. Open that account first, or send the statement of one that is open."
            ));
        };
        let code = head.currency.code();
        let found = known.iter().find(|(_, currency)| currency == code);
        found.map(|(name, _)| name.as_str()).ok_or_else(|| {
            let ours = known.iter().map(|(_, currency)| currency.as_str()).collect::<Vec<_>>().join(", ");
            format!("the statement is in {code}, and the account {number} is in {ours}. Send the statement in the account's currency.")
        })
    }
}

fn chosen<'a>(rows: &'a [bank_account::Model], name: &str) -> Result<&'a bank_account::Model> {
    let names = || rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ");
    rows.iter().find(|row| row.name == name).ok_or_else(|| {
        Error::invalid("account", format!("There is no bank account of this name. There are: {}.", names()))
    })
}

fn sniffed(path: &Path) -> Result<FormatName> {
    let mut start = Vec::with_capacity(limits::SNIFF_BYTES);
    File::open(path)
        .and_then(|file| file.take(limits::SNIFF_BYTES as u64).read_to_end(&mut start))
        .map_err(Error::internal)?;
    match sniff(&start) {
        Some(FileKind::Camt053) => Ok(FormatName::Camt053),
        Some(FileKind::Mt940) => Ok(FormatName::Mt940),
        Some(FileKind::Csv) => Ok(FormatName::Csv),
        Some(FileKind::StripePayoutReport) => Ok(FormatName::PayoutReport),
        None => {
            let advice = "The file is neither a camt.053 nor an MT940 statement, a table, nor a payout report. Send one \
                          of these, unpacked, or say in `format` what it is.";
            Err(Error::invalid("body", advice))
        }
    }
}

/// The file, buffered.
///
/// # Errors
/// Internal, when it can't be opened.
pub fn open(path: &Path) -> Result<BufReader<File>> {
    let named = |error: std::io::Error| Error::internal(format!("{}: {error}", path.display()));
    Ok(BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(named)?))
}
