//! Primitive values, in both directions.

pub(crate) mod authority;
pub(crate) mod media;
pub(crate) mod number;
pub(crate) mod observed;
pub(crate) mod phone;
pub(crate) mod time;
pub(crate) mod unit;
pub(crate) mod universal;

/// A converter's result; the error says why a text cannot be used and never repeats the text.
pub(crate) type Converted<T> = Result<T, &'static str>;
