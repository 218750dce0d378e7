//! Reads Stripe's JSON objects field by field, for answers and webhooks alike.
//!
//! async-stripe's own types are strict: one missing field of some three hundred fails the whole object, without saying
//! which. A payment whose money has moved must not be lost over a field nobody uses, and a webhook is rendered in the version
//! its endpoint was made with, not in the one async-stripe knows. So the few fields that the exchange uses are read here,
//! a missing one of *those* is an error that names it (no amount is ever taken for 0), and the strict types serve as an alarm (`Gateway::send`) and as an oracle in the tests.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::currency::rule_of;

/// Why an object could not be read; names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub(crate) String);

/// What a type does to be read from one JSON object of Stripe's.
pub(crate) trait Read: Sized {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError>;

    fn read_json(json: &str) -> Result<Self, ReadError> {
        Self::read(&Fields::parse("", json)?)
    }
}

/// The fields of one object; nested ones stay raw until they are asked for.
pub(crate) struct Fields<'a> {
    path: String,
    /// The whole object.
    pub(crate) json: &'a str,
    fields: HashMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(path: &str, json: &'a str) -> Result<Self, ReadError> {
        let fields =
            serde_json::from_str(json).map_err(|error| ReadError(format!("{path}: no JSON object: {error}")))?;
        Ok(Self { path: path.to_owned(), json, fields })
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The raw value; none if missing or null.
    pub(crate) fn raw(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    fn optional<T: Deserialize<'a>>(&self, key: &str) -> Result<Option<T>, ReadError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|error| ReadError(format!("{}: {error}", self.at(key))))
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, ReadError> {
        value.ok_or_else(|| ReadError(format!("{}: missing", self.at(key))))
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, ReadError> {
        self.required(key, self.optional(key)?)
    }

    pub(crate) fn text_or_none(&self, key: &str) -> Result<Option<String>, ReadError> {
        self.optional(key)
    }

    pub(crate) fn number<T: Deserialize<'a>>(&self, key: &str) -> Result<T, ReadError> {
        self.required(key, self.optional(key)?)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, ReadError> {
        self.required(key, self.optional(key)?)
    }

    pub(crate) fn flag_or_false(&self, key: &str) -> Result<bool, ReadError> {
        Ok(self.optional(key)?.unwrap_or(false))
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, ReadError> {
        Ok(self.optional(key)?.unwrap_or_default())
    }

    pub(crate) fn time(&self, key: &str) -> Result<OffsetDateTime, ReadError> {
        self.required(key, self.time_or_none(key)?)
    }

    pub(crate) fn time_or_none(&self, key: &str) -> Result<Option<OffsetDateTime>, ReadError> {
        let seconds: Option<i64> = self.optional(key)?;
        seconds
            .map(OffsetDateTime::from_unix_timestamp)
            .transpose()
            .map_err(|_| ReadError(format!("{}: no time of our era", self.at(key))))
    }

    /// ISO 4217 in upper case.
    pub(crate) fn currency(&self, key: &str) -> Result<String, ReadError> {
        Ok(self.text(key)?.to_uppercase())
    }

    /// ISO 4217 minor units of the object's own `currency`.
    pub(crate) fn amount(&self, key: &str) -> Result<i64, ReadError> {
        self.required(key, self.amount_or_none(key)?)
    }

    pub(crate) fn amount_or_none(&self, key: &str) -> Result<Option<i64>, ReadError> {
        let Some(api_units) = self.optional::<i64>(key)? else { return Ok(None) };
        let code = self.currency("currency")?;
        rule_of(&code)
            .and_then(|rule| rule.from_api(api_units))
            .map(Some)
            .map_err(|error| ReadError(format!("{}: {error}", self.at(key))))
    }

    /// A map from currency to amount in the API's units, as ISO 4217 codes in upper case and minor units; empty if missing.
    pub(crate) fn amounts(&self, key: &str) -> Result<BTreeMap<String, i64>, ReadError> {
        let by_currency: BTreeMap<String, i64> = self.optional(key)?.unwrap_or_default();
        let read = |(code, api_units): (String, i64)| {
            let code = code.to_uppercase();
            match rule_of(&code).and_then(|rule| rule.from_api(api_units)) {
                Ok(minor) => Ok((code, minor)),
                Err(error) => Err(ReadError(format!("{}.{code}: {error}", self.at(key)))),
            }
        };
        by_currency.into_iter().map(read).collect()
    }

    pub(crate) fn metadata(&self) -> Result<BTreeMap<String, String>, ReadError> {
        Ok(self.optional("metadata")?.unwrap_or_default())
    }

    /// A JSON number exactly as Stripe wrote it.
    pub(crate) fn decimal_text(&self, key: &str) -> Option<String> {
        self.raw(key).map(str::to_owned)
    }

    /// A nested object; none if missing, null, or something else than an object.
    pub(crate) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, ReadError> {
        match self.raw(key).filter(|raw| raw.starts_with('{')) {
            Some(raw) => Fields::parse(&self.at(key), raw).map(Some),
            None => Ok(None),
        }
    }

    /// The id of a field that Stripe gives as an id or, expanded, as an object.
    pub(crate) fn id_of(&self, key: &str) -> Result<Option<String>, ReadError> {
        match self.object(key)? {
            Some(object) => object.text("id").map(Some),
            None => self.text_or_none(key),
        }
    }

    /// A field that Stripe gives as an id or as an object: read if it is an object.
    pub(crate) fn expanded<T: Read>(&self, key: &str) -> Result<Option<T>, ReadError> {
        self.object(key)?.as_ref().map(T::read).transpose()
    }

    /// As `expanded`, for what is only looked at in passing: if it cannot be read, it is left out, and a log line says why.
    /// Whether a payment succeeded must not depend on the fee of its balance transaction.
    pub(crate) fn in_passing<T: Read>(&self, key: &str) -> Option<T> {
        self.expanded(key).unwrap_or_else(|error| {
            tracing::warn!(%error, "a part of Stripe's answer could not be read and is left out");
            None
        })
    }

    /// The elements of an array of objects.
    pub(crate) fn objects(&self, key: &str) -> Result<Vec<Fields<'a>>, ReadError> {
        let raws: Vec<&'a RawValue> = self.required(key, self.optional(key)?)?;
        let path = |index: usize| format!("{}[{index}]", self.at(key));
        raws.iter().enumerate().map(|(index, raw)| Fields::parse(&path(index), raw.get())).collect()
    }

    /// A map of words, such as `capabilities`.
    pub(crate) fn words(&self, key: &str) -> Result<BTreeMap<String, String>, ReadError> {
        Ok(self.optional(key)?.unwrap_or_default())
    }
}

/// An element of a list that could not be read: kept, because a reconciliation must not drop it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadableItem {
    /// Stripe's id, if at least that was there.
    pub id: Option<String>,
    pub reason: String,
    /// The object as Stripe sent it.
    pub raw: String,
}

impl std::fmt::Debug for UnreadableItem {
    /// Without the raw object: it may hold names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnreadableItem").field("id", &self.id).field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// One page of a list, newest first, as Stripe sorts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub unreadable: Vec<UnreadableItem>,
    /// Give this as `after` to get the next page; none at the end.
    pub next: Option<String>,
}

impl<T: Read> Read for Page<T> {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let raws: Vec<&RawValue> = fields.required("data", fields.optional("data")?)?;
        let mut page = Self { items: Vec::new(), unreadable: Vec::new(), next: None };
        let mut last_id = None;
        for raw in raws {
            let id = Fields::parse("", raw.get()).and_then(|object| object.text("id")).ok();
            match T::read_json(raw.get()) {
                Ok(item) => page.items.push(item),
                Err(error) => page.unreadable.push(UnreadableItem {
                    id: id.clone(),
                    reason: error.to_string(),
                    raw: raw.get().to_owned(),
                }),
            }
            last_id = id;
        }
        if fields.flag("has_more")? {
            page.next =
                Some(last_id.ok_or_else(|| ReadError("data: more to come, but the last element has no id".into()))?);
        }
        Ok(page)
    }
}
