//! Primitive values, both ways.

pub(crate) mod authority;
pub(crate) mod media;
pub(crate) mod number;
pub(crate) mod observed;
pub(crate) mod phone;
pub(crate) mod time;
pub(crate) mod unit;
pub(crate) mod universal;

/// What a converter says of a text that it cannot use. It never repeats the text.
pub(crate) type Made<T> = Result<T, &'static str>;
