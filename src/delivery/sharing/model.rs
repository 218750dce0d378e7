//! The lines of an answer about a table.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::capabilities::ResponseFormat;

/// What is said of a table in one version.
#[derive(Debug, Clone)]
pub(super) struct TableFacts {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) version: i32,
    pub(super) created_at: OffsetDateTime,
    pub(super) schema_string: String,
    /// What changes in it can be asked for.
    pub(super) has_changes: bool,
    pub(super) size_bytes: i64,
    pub(super) rows: i64,
}

/// The one file of a version, with the link it is fetched by.
#[derive(Debug, Clone)]
pub(super) struct FileFacts {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) expires_at: OffsetDateTime,
}

/// What a file has to do with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// The whole table, all of whose rows are new.
    Added,
    /// The whole table as it was before: none of its rows are there any more.
    Removed,
    /// The rows that changed.
    Rows,
}

/// A file of what a version changed in a table.
#[derive(Debug, Clone)]
pub(super) struct ChangeFacts {
    pub(super) kind: ChangeKind,
    pub(super) id: String,
    pub(super) url: String,
    pub(super) version: i32,
    pub(super) at: OffsetDateTime,
    pub(super) size_bytes: u64,
    pub(super) rows: u64,
    pub(super) expires_at: OffsetDateTime,
}

/// The lines that begin every answer about a table.
///
/// Source: delta-io/delta, `PROTOCOL.md`, "Change Data Files": the property that tells readers to ask, and the version of
/// writers that it came with.
pub(super) fn head(format: ResponseFormat, table: &TableFacts) -> Vec<Value> {
    let (configuration, writer) = match table.has_changes {
        true => (json!({"delta.enableChangeDataFeed": "true"}), 4),
        false => (json!({}), 2),
    };
    match format {
        ResponseFormat::Parquet => vec![
            json!({"protocol": {"minReaderVersion": 1}}),
            json!({"metaData": {
                "id": table.id, "name": table.name, "format": {"provider": "parquet"},
                "schemaString": table.schema_string, "partitionColumns": [], "configuration": configuration,
                "version": table.version, "size": table.size_bytes, "numFiles": 1,
            }}),
        ],
        ResponseFormat::Delta => vec![
            json!({"protocol": {"deltaProtocol": {"minReaderVersion": 1, "minWriterVersion": writer}}}),
            json!({"metaData": {
                "version": table.version, "size": table.size_bytes, "numFiles": 1,
                "deltaMetadata": {
                    "id": table.id, "name": table.name, "format": {"provider": "parquet", "options": {}},
                    "schemaString": table.schema_string, "partitionColumns": [], "configuration": configuration,
                    "createdTime": millis(table.created_at),
                },
            }}),
        ],
    }
}

/// The line of the file.
pub(super) fn file(format: ResponseFormat, table: &TableFacts, file: &FileFacts) -> Value {
    let (published, expiry) = (millis(table.created_at), millis(file.expires_at));
    let stats = json!({"numRecords": table.rows}).to_string();
    match format {
        ResponseFormat::Parquet => json!({"file": {
            "url": file.url, "id": file.id, "partitionValues": {}, "size": table.size_bytes, "stats": stats,
            "version": table.version, "timestamp": published, "expirationTimestamp": expiry,
        }}),
        ResponseFormat::Delta => json!({"file": {
            "id": file.id, "version": table.version, "timestamp": published, "expirationTimestamp": expiry,
            "deltaSingleAction": {"add": {
                "path": file.url, "partitionValues": {}, "size": table.size_bytes, "modificationTime": published,
                "dataChange": true, "stats": stats,
            }},
        }}),
    }
}

/// The line of a file of changes.
pub(super) fn change(format: ResponseFormat, change: &ChangeFacts) -> Value {
    let (at, expiry) = (millis(change.at), millis(change.expires_at));
    let stats = json!({"numRecords": change.rows}).to_string();
    match format {
        ResponseFormat::Parquet => {
            let mut file = json!({
                "url": change.url, "id": change.id, "partitionValues": {}, "size": change.size_bytes, "timestamp": at,
                "version": change.version, "expirationTimestamp": expiry,
            });
            match change.kind {
                ChangeKind::Rows => json!({"cdf": file}),
                ChangeKind::Removed => json!({"remove": file}),
                ChangeKind::Added => {
                    file["stats"] = Value::String(stats);
                    json!({"add": file})
                }
            }
        }
        ResponseFormat::Delta => {
            let action = match change.kind {
                ChangeKind::Added => json!({"add": {
                    "path": change.url, "partitionValues": {}, "size": change.size_bytes, "modificationTime": at,
                    "dataChange": true, "stats": stats,
                }}),
                ChangeKind::Removed => json!({"remove": {
                    "path": change.url, "partitionValues": {}, "size": change.size_bytes, "deletionTimestamp": at,
                    "dataChange": true, "extendedFileMetadata": true,
                }}),
                ChangeKind::Rows => json!({"cdc": {
                    "path": change.url, "partitionValues": {}, "size": change.size_bytes, "dataChange": false,
                }}),
            };
            json!({"file": {
                "id": change.id, "version": change.version, "timestamp": at, "expirationTimestamp": expiry,
                "deltaSingleAction": action,
            }})
        }
    }
}

/// The last line, for who asks for one.
pub(super) fn end(links_end: OffsetDateTime) -> Value {
    json!({"endStreamAction": {"minUrlExpirationTimestamp": millis(links_end)}})
}

/// One line for each value. Characters that some readers take for the end of a line are escaped.
pub(super) fn lines(values: &[Value]) -> String {
    let mut text = String::new();
    for value in values {
        for c in value.to_string().chars() {
            match c {
                '\u{85}' => text.push_str("\\u0085"),
                '\u{2028}' => text.push_str("\\u2028"),
                '\u{2029}' => text.push_str("\\u2029"),
                other => text.push(other),
            }
        }
        text.push('\n');
    }
    text
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_value_ends_a_line() {
        let value = json!({"name": "a\u{85}b\u{2028}c\u{2029}d\ne水"});
        let text = lines(&[value.clone(), json!({})]);
        assert!(!text.contains(['\u{85}', '\u{2028}', '\u{2029}']));
        let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [value, json!({})]);
    }
}
