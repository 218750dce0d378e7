//! Many rows in one statement, whose text is the same for any number of them.
//!
//! A list of values spelled out (`VALUES (?, ?), …`, `IN (?, …)`) makes another statement for every length, and drivers
//! keep hundreds of prepared statements per connection: with thousands of values each, that is where memory goes. Here
//! the rows are one parameter on SQLite (JSON) and one per column on PostgreSQL (arrays in their text form).

use std::fmt::Write as _;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait, IdenStatic as _,
    Iterable as _, Statement, Value,
    sea_query::{ColumnType, Expr},
};

use super::Tx;
use crate::error::{Error, Result};

/// What a column of a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, and enums, which are stored as their words.
    Text,
    /// Integers and times.
    Number,
    /// True or false.
    Flag,
    /// Ids.
    Uuid,
}

impl Kind {
    fn of(column: &ColumnType) -> Result<Self> {
        match column {
            ColumnType::Char(_) | ColumnType::String(_) | ColumnType::Text | ColumnType::Enum { .. } => Ok(Self::Text),
            ColumnType::Integer | ColumnType::BigInteger => Ok(Self::Number),
            ColumnType::Boolean => Ok(Self::Flag),
            ColumnType::Uuid => Ok(Self::Uuid),
            other => Err(Error::internal(format!("a column of {other:?} can't be in a list"))),
        }
    }

    fn postgres(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Number => "bigint[]",
            Self::Flag => "boolean[]",
            Self::Uuid => "uuid[]",
        }
    }
}

/// Rows of values, to be used as a table in a statement.
#[derive(Debug, Clone)]
pub struct List {
    backend: DbBackend,
    columns: Vec<(&'static str, Kind)>,
    rows: usize,
    /// On SQLite one text for all rows, on PostgreSQL one per column.
    texts: Vec<String>,
}

impl List {
    /// An empty list with these columns.
    pub fn new(backend: DbBackend, columns: Vec<(&'static str, Kind)>) -> Self {
        let texts = if backend == DbBackend::Postgres { columns.len() } else { 1 };
        Self { backend, columns, rows: 0, texts: vec![String::new(); texts] }
    }

    /// A list of one column, called `value`.
    pub fn of(backend: DbBackend, kind: Kind, values: impl IntoIterator<Item = Value>) -> Result<Self> {
        let mut list = Self::new(backend, vec![("value", kind)]);
        for value in values {
            list.push([value])?;
        }
        Ok(list)
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row, its values in the order of the columns.
    ///
    /// # Errors
    /// Internal, for a value that is neither text, an integer, a flag nor an id.
    pub fn push(&mut self, row: impl IntoIterator<Item = Value>) -> Result<()> {
        let separator = if self.rows == 0 { "" } else { "," };
        let by_column = self.backend == DbBackend::Postgres;
        if !by_column {
            self.texts[0].push_str(separator);
            self.texts[0].push('[');
        }
        for (place, value) in row.into_iter().enumerate() {
            let text = &mut self.texts[if by_column { place } else { 0 }];
            if by_column {
                text.push_str(separator);
                write_array_item(text, &value)?;
            } else {
                text.push_str(if place == 0 { "" } else { "," });
                write_json(text, &value)?;
            }
        }
        if !by_column {
            self.texts[0].push(']');
        }
        self.rows += 1;
        Ok(())
    }

    /// The list as a table of a statement; its parameters count from `first`.
    fn table(&self, first: usize) -> String {
        if self.backend == DbBackend::Postgres {
            let array =
                |(place, (_, kind)): (usize, &(&str, Kind))| format!("${}::text::{}", first + place, kind.postgres());
            let arrays: Vec<String> = self.columns.iter().enumerate().map(array).collect();
            let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
            return format!("unnest({}) AS list({})", arrays.join(", "), names.join(", "));
        }
        let cell = |(place, (name, kind)): (usize, &(&str, Kind))| match kind {
            Kind::Uuid => format!("unhex(value->>{place}) AS {name}"),
            _ => format!("value->>{place} AS {name}"),
        };
        let cells: Vec<String> = self.columns.iter().enumerate().map(cell).collect();
        format!("(SELECT {} FROM json_each(?{first})) AS list", cells.join(", "))
    }

    /// Writes `{list}` into a statement; `before` are the values of `$1`, `$2`, … in it.
    fn statement(self, sql: &str, before: Vec<Value>) -> Statement {
        let sql = sql.replace("{list}", &self.table(before.len() + 1));
        let sql = if self.backend == DbBackend::Postgres { sql } else { sql.replace('$', "?") };
        let (open, close) = if self.backend == DbBackend::Postgres { ('{', '}') } else { ('[', ']') };
        let texts = self.texts.into_iter().map(|text| Value::from(format!("{open}{text}{close}")));
        Statement::from_sql_and_values(self.backend, sql, before.into_iter().chain(texts))
    }

    /// Runs a statement in which `{list}` stands for the list as a table called `list`, and `$1`, `$2`, … for `before`;
    /// returns how many rows it wrote.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn execute(self, tx: &Tx, sql: &str, before: Vec<Value>) -> Result<u64> {
        Ok(tx.conn().execute_raw(self.statement(sql, before)).await?.rows_affected())
    }

    /// The condition that a column is in the list, with its one parameter.
    pub fn contains(self, column: &str) -> Expr {
        let kind = self.columns.first().map_or(Kind::Text, |(_, kind)| *kind);
        let (open, close) = if self.backend == DbBackend::Postgres { ('{', '}') } else { ('[', ']') };
        let texts = self.texts.into_iter().map(|text| Value::from(format!("{open}{text}{close}")));
        let sql = if self.backend == DbBackend::Postgres {
            format!("{column} = ANY($1::text::{})", kind.postgres())
        } else {
            let cell = if kind == Kind::Uuid { "unhex(value->>0)" } else { "value->>0" };
            format!("{column} IN (SELECT {cell} FROM json_each(?))")
        };
        Expr::cust_with_values(sql, texts)
    }
}

/// What to do with a row whose key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Leave the one that is there.
    Keep,
    /// Fail.
    Refuse,
}

/// Whole rows of an entity, to be stored by [`store`]; what is not set is NULL.
///
/// # Errors
/// Internal, for a column that can't be in a list.
pub fn rows_of<A: ActiveModelTrait>(backend: DbBackend, rows: Vec<A>) -> Result<List> {
    let columns: Vec<<A::Entity as EntityTrait>::Column> = <A::Entity as EntityTrait>::Column::iter().collect();
    let with_kind = columns.iter().map(|column| Ok((column.as_str(), Kind::of(column.def().get_column_type())?)));
    let mut list = List::new(backend, with_kind.collect::<Result<_>>()?);
    for mut row in rows {
        let value = |column: &<A::Entity as EntityTrait>::Column| match row.take(*column) {
            ActiveValue::Set(value) | ActiveValue::Unchanged(value) => value,
            ActiveValue::NotSet => Value::String(None),
        };
        let values: Vec<Value> = columns.iter().map(value).collect();
        list.push(values)?;
    }
    Ok(list)
}

/// Stores rows in a table, in one statement; returns how many were stored.
///
/// # Errors
/// Those of the database.
pub async fn store<E: EntityTrait>(tx: &Tx, rows: List, known: Known) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let names = rows.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let table = E::default().table_name();
    // The WHERE keeps SQLite from reading ON CONFLICT as part of a join.
    let end = if known == Known::Keep { " WHERE true ON CONFLICT DO NOTHING" } else { "" };
    rows.execute(tx, &format!("INSERT INTO {table} ({names}) SELECT {names} FROM {{list}}{end}"), Vec::new()).await
}

/// [`rows_of`] and [`store`] in one.
///
/// # Errors
/// As they.
pub async fn insert<A: ActiveModelTrait>(tx: &Tx, rows: Vec<A>, known: Known) -> Result<u64> {
    store::<A::Entity>(tx, rows_of(tx.conn().get_database_backend(), rows)?, known).await
}

fn unlisted(value: &Value) -> Error {
    Error::internal(format!("a value like {value:?} can't be in a list"))
}

fn write_json(out: &mut String, value: &Value) -> Result<()> {
    let written = match value {
        Value::String(Some(text)) => {
            out.push_str(&serde_json::to_string(text).map_err(Error::internal)?);
            Ok(())
        }
        Value::Uuid(Some(id)) => write!(out, "\"{}\"", id.simple()),
        Value::BigInt(Some(number)) => write!(out, "{number}"),
        Value::Int(Some(number)) => write!(out, "{number}"),
        Value::Bool(Some(flag)) => write!(out, "{}", u8::from(*flag)),
        Value::String(None) | Value::Uuid(None) | Value::BigInt(None) | Value::Int(None) | Value::Bool(None) => {
            write!(out, "null")
        }
        other => return Err(unlisted(other)),
    };
    written.map_err(Error::internal)
}

/// Source: the array input syntax of PostgreSQL's manual, section 8.15.6.
fn write_array_item(out: &mut String, value: &Value) -> Result<()> {
    let written = match value {
        Value::String(Some(text)) => {
            out.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push('"');
            Ok(())
        }
        Value::Uuid(Some(id)) => write!(out, "{}", id.simple()),
        Value::BigInt(Some(number)) => write!(out, "{number}"),
        Value::Int(Some(number)) => write!(out, "{number}"),
        Value::Bool(Some(flag)) => write!(out, "{flag}"),
        Value::String(None) | Value::Uuid(None) | Value::BigInt(None) | Value::Int(None) | Value::Bool(None) => {
            write!(out, "NULL")
        }
        other => return Err(unlisted(other)),
    };
    written.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads what [`write_array_item`] wrote for texts.
    fn read_back(written: &str) -> String {
        let inner = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("quoted");
        let (mut out, mut escaped) = (String::new(), false);
        for c in inner.chars() {
            if !escaped && c == '\\' {
                escaped = true;
                continue;
            }
            assert!(escaped || c != '"', "an open quote in {written}");
            escaped = false;
            out.push(c);
        }
        out
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(text in ".{0,40}") {
            let mut out = String::new();
            write_array_item(&mut out, &Value::from(text.clone())).expect("writes");
            prop_assert_eq!(read_back(&out), text.clone());
            out.clear();
            write_json(&mut out, &Value::from(text.clone())).expect("writes");
            prop_assert_eq!(serde_json::from_str::<String>(&out).expect("reads"), text);
        }
    }

    #[test]
    fn the_statement_is_the_same_for_any_number_of_rows() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let of = |rows: i64| {
                let mut list = List::new(backend, vec![("id", Kind::Uuid), ("minor", Kind::Number)]);
                for row in 0..rows {
                    list.push([Value::Uuid(None), row.into()]).expect("writes");
                }
                list.statement("SELECT * FROM {list} WHERE minor > $1", vec![1_i64.into()]).sql
            };
            assert_eq!(of(1), of(3));
        }
    }

    #[test]
    fn what_can_not_be_in_a_list_is_refused() {
        let mut list = List::new(DbBackend::Sqlite, vec![("bytes", Kind::Text)]);
        assert!(list.push([Value::Bytes(Some(vec![1]))]).is_err());
    }
}
