//! The few words of SQL that a question may be written in. What is not in the grammar can't be said:
//!
//! ```text
//! SELECT item, … FROM name [WHERE condition AND …] [GROUP BY column [, column]] [;]
//! item      = COUNT(*) | COUNT(column) | SUM(column) | AVG(column) | column
//! condition = column (= | <> | != | < | <= | > | >=) literal | column IN (literal, …) | column IS [NOT] NULL
//! literal   = number | 'text' | TRUE | FALSE
//! ```

use crate::table::Comparison;

/// Longest statement.
const SQL_CHARS_MAX: usize = 2_000;
/// Most conditions, and most values behind IN.
const CONDITIONS_MAX: usize = 20;
/// Most columns and aggregates of one statement.
const ITEMS_MAX: usize = 8;

/// What a SELECT asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    CountRows,
    Count(String),
    Sum(String),
    Avg(String),
    Column(String),
}

/// A condition as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) column: String,
    pub(crate) test: WrittenTest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WrittenTest {
    Compare(Comparison, String),
    In(Vec<String>),
    IsNull(bool),
}

/// A statement that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Select {
    pub(crate) items: Vec<Item>,
    pub(crate) conditions: Vec<Written>,
    pub(crate) group_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: [&str; 12] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "*", ";"];

/// Reads a statement.
///
/// # Errors
/// A sentence about what to write instead.
pub(crate) fn parse(sql: &str) -> Result<Select, String> {
    if sql.chars().count() > SQL_CHARS_MAX {
        return Err(format!("Write at most {SQL_CHARS_MAX} characters."));
    }
    let tokens = tokens(sql)?;
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let select = reader.select()?;
    if reader.at < tokens.len() {
        return Err(reader.expected("the end of the statement, for this is all that is answered"));
    }
    Ok(select)
}

fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '\'' || first == '"' {
            let (text, after) = quoted(rest, first)?;
            tokens.push(if first == '"' { Token::Quoted(text) } else { Token::Text(text) });
            rest = after;
        } else if first.is_ascii_digit() || first == '-' {
            let length = rest.char_indices().skip(1).find(|(_, c)| !is_in_number(*c)).map_or(rest.len(), |(at, _)| at);
            tokens.push(Token::Number(rest[..length].to_owned()));
            rest = &rest[length..];
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            rest = &rest[length..];
        } else {
            return Err(format!(
                "The character {first:?} has no meaning here. Write column names in \"quotation marks\"."
            ));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn is_in_number(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

/// The text between two marks, of which a doubled one stands for itself, and what follows.
fn quoted(rest: &str, mark: char) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != mark {
            text.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == mark) {
            text.push(mark);
            letters.next();
        } else {
            return Ok((text, &rest[at + mark.len_utf8()..]));
        }
    }
    Err(format!("A {mark} is not closed."))
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn expected(&self, what: &str) -> String {
        match self.peek() {
            Some(Token::Word(word)) => format!("Before {word:?} expected {what}."),
            Some(Token::Sign(sign)) => format!("Before {sign:?} expected {what}."),
            Some(_) => format!("Before a value expected {what}."),
            None => format!("At the end expected {what}."),
        }
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, wanted: &str) -> Result<(), String> {
        if self.takes_word(wanted) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    fn sign(&mut self, wanted: &'static str) -> Result<(), String> {
        if self.takes(wanted) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    fn column(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected("the name of a column")),
        }
    }

    fn select(&mut self) -> Result<Select, String> {
        let mut select = Select::default();
        self.word("SELECT")?;
        loop {
            let item = self.item()?;
            select.items.push(item);
            if !self.takes(",") {
                break;
            }
        }
        if select.items.len() > ITEMS_MAX {
            return Err(format!("Select at most {ITEMS_MAX} things."));
        }
        self.word("FROM")?;
        self.column()?;
        if self.takes_word("WHERE") {
            loop {
                let condition = self.condition()?;
                select.conditions.push(condition);
                if !self.takes_word("AND") {
                    break;
                }
            }
        }
        if select.conditions.len() > CONDITIONS_MAX {
            return Err(format!("Write at most {CONDITIONS_MAX} conditions."));
        }
        if self.takes_word("GROUP") {
            self.word("BY")?;
            select.group_by.push(self.column()?);
            if self.takes(",") {
                select.group_by.push(self.column()?);
            }
        }
        self.takes(";");
        Ok(select)
    }

    fn item(&mut self) -> Result<Item, String> {
        let next_is_open = matches!(self.tokens.get(self.at + 1), Some(Token::Sign("(")));
        let function = match self.peek() {
            Some(Token::Word(word)) if next_is_open => word.to_ascii_uppercase(),
            _ => return self.column().map(Item::Column),
        };
        if !["COUNT", "SUM", "AVG"].contains(&function.as_str()) {
            return Err("The functions are COUNT, SUM and AVG.".to_owned());
        }
        self.at += 2;
        let item = if function == "COUNT" && self.takes("*") {
            Item::CountRows
        } else {
            let column = self.column()?;
            match function.as_str() {
                "COUNT" => Item::Count(column),
                "SUM" => Item::Sum(column),
                _ => Item::Avg(column),
            }
        };
        self.sign(")")?;
        Ok(item)
    }

    fn condition(&mut self) -> Result<Written, String> {
        let column = self.column()?;
        if self.takes_word("IS") {
            let is_null = !self.takes_word("NOT");
            self.word("NULL")?;
            return Ok(Written { column, test: WrittenTest::IsNull(is_null) });
        }
        if self.takes_word("IN") {
            self.sign("(")?;
            let mut all = vec![self.literal()?];
            while self.takes(",") {
                all.push(self.literal()?);
            }
            self.sign(")")?;
            if all.len() > CONDITIONS_MAX {
                return Err(format!("Name at most {CONDITIONS_MAX} values behind IN."));
            }
            return Ok(Written { column, test: WrittenTest::In(all) });
        }
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => Comparison::Eq,
            Some(Token::Sign("<>" | "!=")) => Comparison::Ne,
            Some(Token::Sign("<")) => Comparison::Lt,
            Some(Token::Sign("<=")) => Comparison::Lte,
            Some(Token::Sign(">")) => Comparison::Gt,
            Some(Token::Sign(">=")) => Comparison::Gte,
            _ => return Err(self.expected("a comparison")),
        };
        self.at += 1;
        let literal = self.literal()?;
        Ok(Written { column, test: WrittenTest::Compare(comparison, literal) })
    }

    fn literal(&mut self) -> Result<String, String> {
        let text = match self.peek() {
            Some(Token::Text(text) | Token::Number(text)) => text.clone(),
            Some(Token::Word(word)) if ["TRUE", "FALSE"].contains(&word.to_ascii_uppercase().as_str()) => {
                word.to_ascii_lowercase()
            }
            _ => return Err(self.expected("a number or a 'text'")),
        };
        self.at += 1;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_statement_is_read() {
        let read = parse(
            "select Station, count(*), AVG(\"the \"\"level\"\"\") from t where level >= -2.5 and station <> 'O''Hara' \
             and x in (1, 2) and y is not null group by Station, y;",
        )
        .unwrap();
        assert_eq!(
            read.items,
            [Item::Column("Station".to_owned()), Item::CountRows, Item::Avg("the \"level\"".to_owned())]
        );
        assert_eq!(read.group_by, ["Station", "y"]);
        let tests: Vec<_> = read.conditions.into_iter().map(|one| one.test).collect();
        let compare = |comparison, text: &str| WrittenTest::Compare(comparison, text.to_owned());
        assert_eq!(
            tests,
            [
                compare(Comparison::Gte, "-2.5"),
                compare(Comparison::Ne, "O'Hara"),
                WrittenTest::In(vec!["1".to_owned(), "2".to_owned()]),
                WrittenTest::IsNull(false),
            ]
        );
    }

    #[test]
    fn what_is_not_in_the_grammar_is_refused() {
        for bad in [
            "",
            "SELECT",
            "SELECT * FROM t",
            "SELECT COUNT(*)",
            "SELECT COUNT(*) FROM t WHERE a = 1 OR b = 2",
            "SELECT COUNT(DISTINCT a) FROM t",
            "SELECT MIN(a) FROM t",
            "SELECT MAX(a) FROM t",
            "SELECT COUNT(*) FROM t, u",
            "SELECT COUNT(*) FROM t JOIN u",
            "SELECT COUNT(*) FROM (SELECT 1)",
            "SELECT COUNT(*) FROM t; DROP TABLE t",
            "SELECT COUNT(*) FROM t ORDER BY a",
            "SELECT COUNT(*) FROM t LIMIT 1",
            "SELECT COUNT(*) FROM t HAVING COUNT(*) = 1",
            "SELECT COUNT(*) FROM t GROUP BY a, b, c",
            "SELECT COUNT(*) FROM t WHERE a LIKE 'x%'",
            "SELECT COUNT(*) FROM t WHERE a = b",
            "SELECT COUNT(*) FROM t WHERE NOT a = 1",
            "SELECT SUM(a * 1000) FROM t",
            "SELECT COUNT(*) FROM t WHERE a = 'x",
            "SELECT COUNT(*) -- x",
            "SELECT a.b FROM t",
            "DELETE FROM t",
            "SELECT a,a,a,a,a,a,a,a,a FROM t",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("SELECT COUNT(*) FROM t WHERE a = '{}'", "x".repeat(2_000))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_statement_or_none(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_words_are_a_statement_or_none(words in proptest::collection::vec("SELECT|COUNT|FROM|WHERE|AND|IN|IS|NULL|GROUP|BY|\\(|\\)|,|a|'é'|\"ü\"|-1|=|<", 0..14)) {
            let _ = parse(&words.join(" "));
        }
    }
}
