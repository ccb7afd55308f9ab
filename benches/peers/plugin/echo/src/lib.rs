//! A plug-in that answers the body as it came, like `tests/guests/echo`.

use extism_pdk::{FnResult, plugin_fn};

#[plugin_fn]
pub fn echo(body: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(body)
}
