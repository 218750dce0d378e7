//! Rows that were inserted, updated or deleted, and what a chain of such changes comes down to.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Check, Result},
    limits,
};

/// The column of a change set that says what became of a row.
///
/// Source: the change data feed of Delta Lake, which calls the column and its values so.
pub const CHANGE_TYPE: &str = "_change_type";

/// What the feed calls an updated row as it was.
pub(super) const UPDATE_PREIMAGE: &str = "update_preimage";

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Op {
    #[serde(rename = "insert")]
    Insert,
    /// With the row as it is afterwards.
    #[serde(rename = "update_postimage")]
    Update,
    /// With the row as it was.
    #[serde(rename = "delete")]
    Delete,
}

impl Op {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update_postimage",
            Self::Delete => "delete",
        }
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete].into_iter().find(|op| op.as_str() == text)
    }

    /// What a chain of changes of one key comes down to, by its first and its last; nothing for a row that came and
    /// went.
    pub(super) const fn over(first: Self, last: Self) -> Option<Self> {
        match (first, last) {
            (Self::Insert, Self::Delete) => None,
            (Self::Insert, Self::Insert | Self::Update) => Some(Self::Insert),
            (Self::Update | Self::Delete, Self::Delete) => Some(Self::Delete),
            (Self::Update | Self::Delete, Self::Insert | Self::Update) => Some(Self::Update),
        }
    }
}

/// Rows by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows with a new key.
    pub inserted: u64,
    /// Rows with a known key and other values.
    pub updated: u64,
    /// Rows whose key is gone.
    pub deleted: u64,
}

impl Counts {
    pub(super) fn add(&mut self, op: Op) {
        match op {
            Op::Insert => self.inserted += 1,
            Op::Update => self.updated += 1,
            Op::Delete => self.deleted += 1,
        }
    }
}

/// Requires a key that can be one; `known` are the columns of the table, where it is known.
///
/// # Errors
/// `Invalid`, pointing at each column.
pub(super) fn require_good_key(columns: &[String], known: Option<&[String]>) -> Result<()> {
    let mut check = Check::new();
    let most = limits::KEY_COLUMNS_MAX;
    check.require((1..=most).contains(&columns.len()), "/columns", format!("Name 1 to {most} columns."));
    for (at, name) in columns.iter().enumerate().take(most) {
        let place = format!("/columns/{at}");
        check.text(name, limits::COLUMN_NAME_CHARS_MAX, &place);
        let twice = columns.iter().take(at).any(|other| other == name);
        check.require(!twice, place.clone(), "Name each column once.");
        let exists = known.is_none_or(|known| known.contains(name));
        check.require(exists, place, "The current revision of this file has no column of this name.");
    }
    check.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_is_no_change_and_what_was_there_before_is_never_an_insert() {
        use Op::{Delete, Insert, Update};
        assert_eq!(Op::over(Insert, Delete), None);
        assert_eq!([Op::over(Insert, Insert), Op::over(Insert, Update)], [Some(Insert); 2]);
        assert_eq!([Op::over(Update, Update), Op::over(Delete, Insert)], [Some(Update); 2]);
        assert_eq!([Op::over(Update, Delete), Op::over(Delete, Delete)], [Some(Delete); 2]);
        for op in [Insert, Update, Delete] {
            assert_eq!((Op::of(op.as_str()), Op::over(op, op)), (Some(op), Some(op)));
        }
    }

    #[test]
    fn a_key_names_columns_that_are_there_once_each() {
        let key = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
            let known = ["a".to_owned(), "b".to_owned()];
            let pointers = require_good_key(&columns, Some(&known)).err().map(|error| error.fields);
            pointers.into_iter().flatten().map(|field| field.pointer).collect::<Vec<_>>()
        };
        assert!(key(&["a"]).is_empty() && key(&["b", "a"]).is_empty());
        assert_eq!(key(&[]), ["/columns"]);
        assert_eq!(key(&["a", "a"]), ["/columns/1"]);
        assert_eq!(key(&["c"]), ["/columns/0"]);
        assert_eq!(key(&[" "]), ["/columns/0", "/columns/0"]);
        assert_eq!(key(&["x"; 17])[0], "/columns");
    }
}
