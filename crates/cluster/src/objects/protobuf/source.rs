//! A message as a source for serde: a map from the names that its fields have in JSON.

use super::fields::{Fields, Value, last, text};
use super::schema::{Field, Schema, Type};
use jiff::Timestamp;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// Octets that are not what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It ends too soon.
    Truncated,
    /// What should be a field is none.
    Field,
    /// A field has another wire type than it should.
    Type,
    /// Text that is not UTF-8.
    Text,
    /// A time that no calendar has.
    Time,
    /// The mark before an envelope is missing.
    NoEnvelope,
    /// The fields do not make an object.
    Object {
        /// Why, in serde's words.
        reason: String,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "a protobuf message ends too soon",
            Self::Field => "a protobuf message holds what is no field",
            Self::Type => "a protobuf field has the wrong type",
            Self::Text => "a protobuf text is not UTF-8",
            Self::Time => "a protobuf time is out of range",
            Self::NoEnvelope => "a protobuf message does not begin with `k8s`",
            Self::Object { reason } => reason,
        })
    }
}

impl std::error::Error for Malformed {}

impl Error for Malformed {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Object { reason: reason.to_string() }
    }
}

/// Something to deserialize.
#[derive(Clone, Copy)]
enum Source<'de> {
    Message(&'static Schema, &'de [u8]),
    /// All values of a field of a message.
    List(&'static Field, &'de [u8]),
    /// All entries of a map, which is a field of a message.
    Map(u32, &'de [u8]),
    Value(Type, Value<'de>),
}

/// A message with the fields of `schema`.
pub(super) fn message<'de>(
    schema: &'static Schema,
    message: &'de [u8],
) -> impl Deserializer<'de, Error = Malformed> {
    Source::Message(schema, message)
}

impl<'de> Source<'de> {
    /// A field of a message; none if it is absent.
    fn of(field: &'static Field, message: &'de [u8]) -> Result<Option<Self>, Malformed> {
        let Some(value) = last(message, field.number)? else { return Ok(None) };
        Ok(Some(match field.holds {
            Type::Map => Self::Map(field.number, message),
            _ if field.repeated => Self::List(field, message),
            Type::Text if value == Value::Octets(b"") => return Ok(None),
            holds => Self::Value(holds, value),
        }))
    }
}

impl<'de> Deserializer<'de> for Source<'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self {
            Self::Message(schema, message)
            | Self::Value(Type::Message(schema), Value::Octets(message)) => {
                visitor.visit_map(FieldsAsMap { fields: schema.iter(), message, value: None })
            }
            Self::List(field, message) => {
                visitor.visit_seq(ValuesAsList { field, fields: Fields::of(message) })
            }
            Self::Map(number, message) => {
                visitor.visit_map(Entries { number, fields: Fields::of(message), value: &[] })
            }
            Self::Value(Type::Text, value) => visitor.visit_borrowed_str(text(value.octets()?)?),
            // Negative numbers are written as if they had 64 bits.
            Self::Value(Type::Integer, value) => visitor.visit_i64(value.number()? as i64),
            Self::Value(Type::Boolean, value) => visitor.visit_bool(value.number()? != 0),
            Self::Value(Type::Time, value) => visitor.visit_string(time(value.octets()?)?),
            Self::Value(Type::Message(_) | Type::Map, _) => Err(Malformed::Type),
        }
    }

    // What is absent is not told at all.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// `meta/v1` `Time`: seconds and nanoseconds since 1970.
fn time(message: &[u8]) -> Result<String, Malformed> {
    let number = |number| last(message, number)?.map_or(Ok(0), Value::number);
    let (seconds, nanoseconds) = (number(1)? as i64, number(2)? as i32);
    let time = Timestamp::new(seconds, nanoseconds).map_err(|_| Malformed::Time)?;
    Ok(time.to_string())
}

/// The fields of a message that are known and present, in the order of the schema.
///
/// Each is looked for from the start: a message has few fields, and a long one is skipped over at
/// the cost of a short one.
struct FieldsAsMap<'de> {
    fields: std::slice::Iter<'static, Field>,
    message: &'de [u8],
    value: Option<Source<'de>>,
}

impl<'de> MapAccess<'de> for FieldsAsMap<'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Malformed> {
        for field in self.fields.by_ref() {
            self.value = Source::of(field, self.message)?;
            if self.value.is_some() {
                return seed.deserialize(BorrowedStrDeserializer::new(field.name)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        let value = self.value.take().ok_or_else(|| Malformed::custom("a value without a key"))?;
        seed.deserialize(value)
    }
}

/// The values of a field that is repeated.
struct ValuesAsList<'de> {
    field: &'static Field,
    fields: Fields<'de>,
}

impl<'de> SeqAccess<'de> for ValuesAsList<'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Malformed> {
        for field in self.fields.by_ref() {
            let (number, value) = field?;
            if number == self.field.number {
                return seed.deserialize(Source::Value(self.field.holds, value)).map(Some);
            }
        }
        Ok(None)
    }
}

/// The entries of a map: messages with `key = 1` and `value = 2`.
struct Entries<'de> {
    number: u32,
    fields: Fields<'de>,
    value: &'de [u8],
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Malformed> {
        for field in self.fields.by_ref() {
            let (number, entry) = field?;
            if number != self.number {
                continue;
            }
            let entry = entry.octets()?;
            let part = |number| last(entry, number)?.map_or(Ok(&[][..]), Value::octets);
            self.value = part(2)?;
            return seed.deserialize(BorrowedStrDeserializer::new(text(part(1)?)?)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(Source::Value(Type::Text, Value::Octets(self.value)))
    }
}
