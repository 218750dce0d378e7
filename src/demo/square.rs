//! What the square is built from: `square.json` and the files beside it.

use std::path::{Path, PathBuf};

use entity::states::{PersonalData, ProviderKind, Theme, UpdateFrequency};
use serde::Deserialize;

use crate::{
    base::{Currency, LangText},
    error::{Error, Result},
};

/// The whole description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Square {
    #[serde(skip)]
    dir: PathBuf,
    pub providers: Vec<Party>,
    pub buyers: Vec<Party>,
    pub listings: Vec<Listing>,
}

/// A provider or a buyer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Party {
    pub key: String,
    pub name: String,
    pub kind: Option<ProviderKind>,
    pub country: String,
}

/// A listing with its files and offers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    pub provider: String,
    pub title: LangText,
    pub summary: LangText,
    pub theme: Theme,
    pub tags: Vec<String>,
    pub place: Option<String>,
    pub bbox: Option<[f64; 4]>,
    pub temporal: Option<Temporal>,
    pub update_frequency: UpdateFrequency,
    pub use_cases: Vec<String>,
    pub personal_data: PersonalData,
    pub files: Vec<File>,
    pub licence: Option<String>,
    pub offers: Vec<Offer>,
}

/// First and last day covered, `2021-08-14`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Temporal {
    pub from: String,
    pub to: String,
}

/// A file: where it is, and what it is called on the square.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub path: String,
    pub name: String,
}

/// An offer of a listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Offer {
    Free,
    OneOff {
        price_minor: i64,
        currency: Currency,
        licence: Commercial,
        approval_required: bool,
    },
    Subscription {
        price_minor: i64,
        currency: Currency,
        term_months: i32,
        licence: Commercial,
        approval_required: bool,
    },
}

/// Which of the ready-made commercial licences.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commercial {
    pub commercial: String,
}

impl Square {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("square.json");
        let named = |error: &dyn std::fmt::Display| Error::internal(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| named(&error))?;
        let square: Self = serde_json::from_str(&text).map_err(|error| named(&error))?;
        Ok(Self { dir: dir.to_owned(), ..square })
    }

    /// Where a file of the square is.
    pub(super) fn file(&self, file: &File) -> PathBuf {
        self.dir.join(&file.path)
    }
}
