//! Bodies written from Rust values, and read as text or JSON.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};
use crate::escape::Escaped;

pub(super) fn to_json(value: &(impl Serialize + ?Sized)) -> Result<Bytes, Error> {
    match serde_json::to_vec(value) {
        Ok(written) => Ok(written.into()),
        Err(error) => Err(invalid(format!(
            "the value cannot be written as JSON: {}; give a value that JSON can hold, or the bytes",
            Escaped(&error.to_string())
        ))),
    }
}

pub(super) fn text(body: &Bytes) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|error| {
        let (at, len) = (error.valid_up_to(), body.len());
        invalid(format!("{len} bytes are not UTF-8 text, from byte {at} on; read the bytes instead"))
    })
}

pub(super) fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        // The message may quote the body, which is not ours.
        let (message, len) = (error.to_string(), body.len());
        let message = Escaped(&message);
        invalid(format!(
            "{len} bytes are not the JSON that was asked for: {message}; read the text or the bytes"
        ))
    })
}

fn invalid(reason: String) -> Error {
    ErrorKind::InvalidBody { reason }.into()
}
