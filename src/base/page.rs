//! Seek paging: a page is asked for by the sort key of the last row seen, never by an offset.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The cursor was not made by this API, or for another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one this list returned")]
pub struct BadCursor;

/// Writes a sort key as an opaque cursor.
pub fn encode_cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// Reads the sort key back from a cursor.
///
/// # Errors
/// [`BadCursor`] for anything [`encode_cursor`] would not have written for this key type.
pub fn decode_cursor<K: DeserializeOwned>(cursor: &str) -> Result<K, BadCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    serde_json::from_slice(&bytes).map_err(|_| BadCursor)
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page from `limit + 1` rows fetched: the extra one only tells that there are more.
    pub fn from_rows<K: Serialize>(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|last| encode_cursor(&key(last))) } else { None };
        Self { items, next_cursor }
    }

    /// The same page with each row turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_both_ways_and_a_forged_one_is_refused() {
        let key = ("2026-11-21".to_owned(), 7_i64);
        assert_eq!(decode_cursor(&encode_cursor(&key)), Ok(key));
        assert_eq!(decode_cursor::<(String, i64)>("%%%"), Err(BadCursor));
        assert_eq!(decode_cursor::<(String, i64)>(&encode_cursor(&"other")), Err(BadCursor));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let key = |n: &i32| *n;
        assert!(Page::from_rows(vec![1, 2], 2, key).next_cursor.is_none());
        let page = Page::from_rows(vec![1, 2, 3], 2, key);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(page.next_cursor, Some(encode_cursor(&2)));
    }
}
