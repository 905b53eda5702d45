//! Which fields of a Kubernetes object are set.

use std::fmt;

use serde::ser::{self, Impossible, Serialize, SerializeStruct, Serializer};

use super::FieldErrors;

/// Names of the fields that are set, in the order of the type.
pub(super) fn set(object: &impl Serialize) -> Vec<&'static str> {
    object.serialize(Names).unwrap_or_default()
}

/// Every field of `object` that is set and not `allowed`.
pub(super) fn only(object: &impl Serialize, allowed: &[&str]) -> FieldErrors {
    let others = set(object).into_iter();
    others
        .filter(|field| !allowed.contains(field))
        .map(|field| FieldErrors::disallowed([field]))
        .collect()
}

/// Exactly one of `choices` must be set.
pub(super) fn exactly_one(object: &impl Serialize, choices: &[&'static str]) -> FieldErrors {
    let set = set(object);
    let chosen: Vec<&'static str> = choices
        .iter()
        .copied()
        .filter(|choice| set.contains(choice))
        .collect();
    match chosen.as_slice() {
        [] => FieldErrors::neither(choices.iter().copied()),
        [_] => FieldErrors::none(),
        _ => FieldErrors::both(chosen),
    }
}

/// Takes down the names of an object's fields and looks at no value: objects are large.
struct Names;

/// The names so far.
struct Found(Vec<&'static str>);

/// The value is no object.
#[derive(Debug)]
struct NoObject;

impl fmt::Display for NoObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no object")
    }
}

impl std::error::Error for NoObject {}

impl ser::Error for NoObject {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl SerializeStruct for Found {
    type Ok = Vec<&'static str>;
    type Error = NoObject;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        _: &T,
    ) -> Result<(), NoObject> {
        self.0.push(name);
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, NoObject> {
        Ok(self.0)
    }
}

type NoNames = Impossible<Vec<&'static str>, NoObject>;

macro_rules! no_objects {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, NoObject> { Err(NoObject) })*
    };
}

impl Serializer for Names {
    type Ok = Vec<&'static str>;
    type Error = NoObject;
    type SerializeSeq = NoNames;
    type SerializeTuple = NoNames;
    type SerializeTupleStruct = NoNames;
    type SerializeTupleVariant = NoNames;
    type SerializeMap = NoNames;
    type SerializeStruct = Found;
    type SerializeStructVariant = NoNames;

    fn serialize_struct(self, _: &'static str, fields: usize) -> Result<Found, NoObject> {
        Ok(Found(Vec::with_capacity(fields)))
    }

    no_objects! {
        serialize_bool(bool) -> Self::Ok;
        serialize_i8(i8) -> Self::Ok;
        serialize_i16(i16) -> Self::Ok;
        serialize_i32(i32) -> Self::Ok;
        serialize_i64(i64) -> Self::Ok;
        serialize_u8(u8) -> Self::Ok;
        serialize_u16(u16) -> Self::Ok;
        serialize_u32(u32) -> Self::Ok;
        serialize_u64(u64) -> Self::Ok;
        serialize_f32(f32) -> Self::Ok;
        serialize_f64(f64) -> Self::Ok;
        serialize_char(char) -> Self::Ok;
        serialize_str(&str) -> Self::Ok;
        serialize_bytes(&[u8]) -> Self::Ok;
        serialize_none() -> Self::Ok;
        serialize_unit() -> Self::Ok;
        serialize_unit_struct(&'static str) -> Self::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> Self::Ok;
        serialize_seq(Option<usize>) -> NoNames;
        serialize_tuple(usize) -> NoNames;
        serialize_tuple_struct(&'static str, usize) -> NoNames;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> NoNames;
        serialize_map(Option<usize>) -> NoNames;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> NoNames;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok, NoObject> {
        Err(NoObject)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, NoObject> {
        Err(NoObject)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, NoObject> {
        Err(NoObject)
    }
}
