//! A statement for ClickHouse, put together from our own words and bound parameters.
//!
//! Only text that is compiled in can be pushed; whatever a caller said goes in as a parameter that the server
//! binds by its type. So no search can say anything to the engine but what it looks for.

use std::fmt::Write;

use clickhouse::Client;
use clickhouse::query::Query;

/// A statement in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    text: String,
    parameters: Vec<Parameter>,
}

/// A value bound by the server.
#[derive(Clone, Debug)]
enum Parameter {
    Text(String),
    Texts(Vec<String>),
    Int(i64),
    Ints(Vec<i64>),
    Wide(u128),
    Real(f64),
}

impl Sql {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), parameters: Vec::new() }
    }

    /// Adds words of our own.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds the name of a table as the connection has it.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.text.push_str(name);
        self
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.bind(Parameter::Text(text.into()))
    }

    /// Adds a list of texts.
    pub(super) fn texts(&mut self, texts: Vec<String>) -> &mut Self {
        self.bind(Parameter::Texts(texts))
    }

    /// Adds a whole number.
    pub(super) fn int(&mut self, number: i64) -> &mut Self {
        self.bind(Parameter::Int(number))
    }

    /// Adds the digits of a number, for the few places where the engine takes no parameter.
    pub(super) fn digits(&mut self, number: impl Into<f64>) -> &mut Self {
        self.text.push_str(&number.into().to_string());
        self
    }

    /// Adds a list of whole numbers.
    pub(super) fn ints(&mut self, numbers: Vec<i64>) -> &mut Self {
        self.bind(Parameter::Ints(numbers))
    }

    /// Adds a number as wide as an id.
    pub(super) fn wide(&mut self, number: u128) -> &mut Self {
        self.bind(Parameter::Wide(number))
    }

    /// Adds a number that is not whole.
    pub(super) fn real(&mut self, number: f64) -> &mut Self {
        self.bind(Parameter::Real(number))
    }

    /// Adds another statement, its parameters numbered on.
    pub(super) fn append(&mut self, other: &Self) -> &mut Self {
        let mut parts = other.text.split(MARK);
        self.text.push_str(parts.next().unwrap_or_default());
        for (part, parameter) in parts.zip(&other.parameters) {
            self.bind(parameter.clone());
            self.text.push_str(part);
        }
        self
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn bind(&mut self, parameter: Parameter) -> &mut Self {
        self.text.push(MARK);
        self.parameters.push(parameter);
        self
    }

    /// The statement with its parameters bound, ready to be sent.
    pub(super) fn query(&self, client: &Client) -> Query {
        let mut text = String::with_capacity(self.text.len() + self.parameters.len() * 16);
        let mut parts = self.text.split(MARK);
        text.push_str(parts.next().unwrap_or_default());
        for (n, (part, parameter)) in parts.zip(&self.parameters).enumerate() {
            // Writing to a string cannot fail.
            write!(text, "{{p{n}:{}}}", parameter.kind()).unwrap_or_default();
            text.push_str(part);
        }
        let query = client.query_raw(&text);
        self.parameters.iter().enumerate().fold(query, |query, (n, parameter)| parameter.give(query, n))
    }
}

/// Where a parameter goes; SQL of our own holds it nowhere else.
const MARK: char = '\u{1}';

impl Parameter {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "String",
            Self::Texts(_) => "Array(String)",
            Self::Int(_) => "Int64",
            Self::Ints(_) => "Array(Int64)",
            Self::Wide(_) => "UInt128",
            Self::Real(_) => "Float64",
        }
    }

    fn give(&self, query: Query, n: usize) -> Query {
        let name = format!("p{n}");
        match self {
            Self::Text(text) => query.param(&name, text),
            Self::Texts(texts) => query.param(&name, texts),
            Self::Int(number) => query.param(&name, number),
            Self::Wide(number) => query.param(&name, number),
            Self::Ints(numbers) => query.param(&name, numbers),
            Self::Real(number) => query.param(&name, number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sql: &Sql) -> String {
        sql.query(&Client::default()).sql_display().to_string()
    }

    #[test]
    fn what_callers_say_is_never_part_of_the_text() {
        let mut sql = Sql::new("SELECT 1 WHERE user = ");
        sql.text("'; DROP TABLE calls; --").push(" AND status = ").int(200);
        assert_eq!(written(&sql), "SELECT 1 WHERE user = {p0:String} AND status = {p1:Int64}");
    }

    #[test]
    fn statements_are_put_together_with_their_parameters() {
        let mut inner = Sql::new("SELECT id FROM bodies WHERE said LIKE ");
        inner.text("%a%");
        let mut sql = Sql::new("SELECT 1 WHERE status = ");
        sql.int(1).push(" AND id IN (").append(&inner).push(") LIMIT ").int(5);
        assert_eq!(
            written(&sql),
            "SELECT 1 WHERE status = {p0:Int64} AND id IN (SELECT id FROM bodies WHERE said LIKE {p1:String}) \
             LIMIT {p2:Int64}"
        );
    }
}
