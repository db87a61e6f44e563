//! Attributes being written.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

/// Attributes in the order they were added.
#[derive(Default)]
pub(super) struct Pairs(Vec<KeyValue>);

impl Pairs {
    fn add(&mut self, key: impl Into<String>, value: Value) {
        self.0.push(KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }

    pub(super) fn text(&mut self, key: impl Into<String>, value: &str) {
        self.add(key, Value::StringValue(value.to_owned()));
    }

    pub(super) fn some_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// Adds a text that is not empty.
    pub(super) fn text_if(&mut self, key: impl Into<String>, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(super) fn int(&mut self, key: impl Into<String>, value: u64) {
        self.add(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    /// Adds a count that is not zero: part of a total that providers leave out when there is none.
    pub(super) fn part(&mut self, key: &str, value: u64) {
        if value > 0 {
            self.int(key, value);
        }
    }

    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.add(key, Value::DoubleValue(value));
    }

    pub(super) fn some_double(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.double(key, value);
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.add(key, Value::BoolValue(value));
    }

    /// Adds a list that is not empty.
    pub(super) fn texts<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        let text = |value: &str| AnyValue { value: Some(Value::StringValue(value.to_owned())) };
        let values: Vec<_> = values.map(text).collect();
        if !values.is_empty() {
            self.add(key, Value::ArrayValue(ArrayValue { values }));
        }
    }
}

impl From<Pairs> for Vec<KeyValue> {
    fn from(pairs: Pairs) -> Self {
        pairs.0
    }
}
