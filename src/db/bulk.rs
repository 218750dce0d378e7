//! Many rows in one statement, whose text is the same for any number of them.
//!
//! A list of values spelled out (`VALUES (?, ?), …`, `IN (?, …)`) makes another statement for every length, and drivers
//! keep hundreds of prepared statements per connection: with thousands of values each, that is where memory goes. Here a
//! list is one parameter on SQLite (JSON) and one per column on PostgreSQL (arrays in their text form); whole rows that are
//! stored on SQLite are bound one by one, in statements of a few fixed sizes.

use std::fmt::Write as _;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait, IdenStatic as _,
    Iterable as _, Statement, Value,
    sea_query::{ColumnType, Expr},
};

use super::Tx;
use crate::error::{Error, Result};

/// Rows of one statement on SQLite: a few sizes that every number is made of, so that there are only so many statements. A
/// row of 60 columns still fits into its 32 766 parameters.
const ROWS_PER_STATEMENT: [usize; 4] = [500, 50, 5, 1];

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
    ///
    /// # Errors
    /// Those of [`List::push`].
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
            // Not `= ANY(…)`: where statistics are missing, PostgreSQL reads the whole table for that, and compares each row
            // with each value. A list that is selected from is hashed at worst.
            format!("{column} IN (SELECT unnest($1::text::{}))", kind.postgres())
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

/// Whole rows of one table, to be stored by [`store`].
#[derive(Debug, Clone)]
pub enum Rows {
    /// For PostgreSQL.
    Columns(List),
    /// For SQLite, which reads bound values three times as fast as JSON: names of the columns, and the values row by row.
    Values(Vec<&'static str>, Vec<Value>),
}

/// Whole rows of an entity; what is not set is NULL.
///
/// # Errors
/// Internal, for a column that can't be in a list.
pub fn rows_of<A: ActiveModelTrait>(backend: DbBackend, rows: Vec<A>) -> Result<Rows> {
    let columns: Vec<<A::Entity as EntityTrait>::Column> = <A::Entity as EntityTrait>::Column::iter().collect();
    let values = |mut row: A| -> Vec<Value> {
        let value = |column: &<A::Entity as EntityTrait>::Column| match row.take(*column) {
            ActiveValue::Set(value) | ActiveValue::Unchanged(value) => value,
            ActiveValue::NotSet => Value::String(None),
        };
        columns.iter().map(value).collect()
    };
    if backend != DbBackend::Postgres {
        let names = columns.iter().map(sea_orm::IdenStatic::as_str).collect();
        return Ok(Rows::Values(names, rows.into_iter().flat_map(values).collect()));
    }
    let with_kind = columns.iter().map(|column| Ok((column.as_str(), Kind::of(column.def().get_column_type())?)));
    let mut list = List::new(backend, with_kind.collect::<Result<_>>()?);
    for row in rows {
        list.push(values(row))?;
    }
    Ok(Rows::Columns(list))
}

/// Stores rows in a table; returns how many were stored.
///
/// # Errors
/// Those of the database.
pub async fn store<E: EntityTrait>(tx: &Tx, rows: Rows, known: Known) -> Result<u64> {
    let table = E::default().table_name();
    match rows {
        Rows::Columns(list) if list.is_empty() => Ok(0),
        Rows::Columns(list) => {
            let names = list.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let end = if known == Known::Keep { " ON CONFLICT DO NOTHING" } else { "" };
            list.execute(tx, &format!("INSERT INTO {table} ({names}) SELECT {names} FROM {{list}}{end}"), Vec::new())
                .await
        }
        Rows::Values(names, values) => store_values(tx, table, &names, values, known).await,
    }
}

async fn store_values(tx: &Tx, table: &str, names: &[&'static str], values: Vec<Value>, known: Known) -> Result<u64> {
    let end = if known == Known::Keep { " ON CONFLICT DO NOTHING" } else { "" };
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    let (mut stored, mut left, mut values) = (0, values.len() / names.len().max(1), values.into_iter());
    for rows in ROWS_PER_STATEMENT {
        while left >= rows {
            let sql = format!(
                "INSERT INTO {table} ({}) VALUES {}{end}",
                names.join(", "),
                vec![row.as_str(); rows].join(", ")
            );
            let some: Vec<Value> = values.by_ref().take(rows * names.len()).collect();
            let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, some);
            stored += tx.conn().execute_raw(statement).await?.rows_affected();
            left -= rows;
        }
    }
    Ok(stored)
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
