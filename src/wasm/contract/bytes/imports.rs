//! What a core module may import from `fnhost`.

use std::borrow::Cow;

use bytes::Bytes;
use tracing::Level;
use wasmtime::{Caller, Extern, Linker, Memory};

use crate::error::{Failure, Payload};
use crate::wasm::fault::{Refused, invalid};
use crate::wasm::linker::call_granted;
use crate::wasm::state::State;

const MODULE: &str = "fnhost";
/// The imports by name.
pub(crate) const IMPORTS: [&str; 7] = ["fail", "log", "get", "set", "remaining_ms", "call", "take"];
/// What an attribute's name may have, and its value; the response's own check is stricter still.
const MOST_ATTRIBUTE_BYTES: u32 = 16 << 10;
const MOST_ATTRIBUTES: usize = 64;
/// What a failure's kind may have, and its message.
const MOST_FAILURE_BYTES: u32 = 64 << 10;

type Guest<'a> = Caller<'a, State>;

/// Defines the imports.
pub(crate) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "fail", fail)?;
    linker.func_wrap(MODULE, "log", log)?;
    linker.func_wrap(MODULE, "get", get)?;
    linker.func_wrap(MODULE, "set", set)?;
    linker.func_wrap(MODULE, "remaining_ms", |guest: Guest<'_>| guest.data().remaining_ms().cast_signed())?;
    linker.func_wrap(MODULE, "take", take)?;
    linker.func_wrap_async(MODULE, "call", |guest: Guest<'_>, (name, name_len, body, body_len)| {
        Box::new(call(guest, [name, name_len], [body, body_len]))
    })?;
    Ok(())
}

fn fail(
    mut guest: Guest<'_>,
    kind: i32,
    kind_len: i32,
    text: i32,
    text_len: i32,
    retryable: i32,
) -> wasmtime::Result<()> {
    let kind = text_of(&mut guest, "the kind given to fail", kind, kind_len, MOST_FAILURE_BYTES)?;
    let message = text_of(&mut guest, "the message given to fail", text, text_len, MOST_FAILURE_BYTES)?;
    guest.data_mut().exchange.failure = Some(Failure::new(kind, message).with_retryable(retryable != 0));
    Ok(())
}

fn log(mut guest: Guest<'_>, level: i32, at: i32, len: i32) -> wasmtime::Result<()> {
    let level = match level {
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        5 => Level::TRACE,
        other => return Err(invalid(format!("log has the levels 1 to 5, not {other}"))),
    };
    let memory = memory(&mut guest)?;
    let (data, state) = memory.data_and_store_mut(&mut guest);
    let text = slice(data, "the text given to log", at, len)?;
    state.log_message(level, text);
    Ok(())
}

/// Answers the full length of an attribute and writes what fits; -1 where there is none.
fn get(mut guest: Guest<'_>, name: i32, name_len: i32, out: i32, out_len: i32) -> wasmtime::Result<i32> {
    let name = text_of(&mut guest, "the name given to get", name, name_len, MOST_ATTRIBUTE_BYTES)?;
    let value = guest.data().attribute(&name).map(Cow::into_owned);
    value.map_or(Ok(-1), |value| write(&mut guest, "the room given to get", value.as_bytes(), out, out_len))
}

fn set(mut guest: Guest<'_>, name: i32, name_len: i32, value: i32, value_len: i32) -> wasmtime::Result<()> {
    let name = text_of(&mut guest, "the name given to set", name, name_len, MOST_ATTRIBUTE_BYTES)?;
    let value = text_of(&mut guest, "the value given to set", value, value_len, MOST_ATTRIBUTE_BYTES)?;
    let exchange = &mut guest.data_mut().exchange;
    if name == "content-type" {
        exchange.content_type = Some(value);
        return Ok(());
    }
    if let Some((_, old)) = exchange.attributes.iter_mut().find(|(known, _)| *known == name) {
        *old = value;
        return Ok(());
    }
    if exchange.attributes.len() >= MOST_ATTRIBUTES {
        return Err(invalid(format!("a response has at most {MOST_ATTRIBUTES} attributes")));
    }
    exchange.attributes.push((name, value));
    Ok(())
}

/// Calls a granted function and keeps its answer, or its failure as JSON, for `take`.
async fn call(mut guest: Guest<'_>, name: [i32; 2], body: [i32; 2]) -> wasmtime::Result<i32> {
    let limit = guest.data().linked.recipe.limits.host_call_bytes();
    let size = body[1].cast_unsigned().into();
    if size > limit {
        return Err(Refused::TooLarge { what: Payload::HostCall, limit, size }.into());
    }
    let name = text_of(&mut guest, "the name given to call", name[0], name[1], MOST_ATTRIBUTE_BYTES)?;
    let memory = memory(&mut guest)?;
    let body =
        Bytes::copy_from_slice(slice(memory.data(&guest), "the body given to call", body[0], body[1])?);
    let (answered, len) = match call_granted(guest.data_mut(), &name, body).await {
        Ok(answer) => {
            let len = i32::try_from(answer.len())
                .map_err(|_| invalid("the granted function answered over 2 GiB"))?;
            (answer, len)
        }
        Err(failure) => (failure.to_json().into(), -1),
    };
    guest.data_mut().exchange.answered = answered;
    Ok(len)
}

/// Copies the last call's answer; answers its full length.
fn take(mut guest: Guest<'_>, out: i32, out_len: i32) -> wasmtime::Result<i32> {
    let answered = guest.data().exchange.answered.clone();
    write(&mut guest, "the room given to take", &answered, out, out_len)
}

fn memory(guest: &mut Guest<'_>) -> wasmtime::Result<Memory> {
    match guest.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(invalid("the module exports no memory")),
    }
}

fn slice<'a>(data: &'a [u8], what: &str, at: i32, len: i32) -> wasmtime::Result<&'a [u8]> {
    let (at, len) = (at.cast_unsigned() as usize, len.cast_unsigned() as usize);
    if len == 0 {
        return Ok(&[]);
    }
    data.get(at..at.saturating_add(len)).ok_or_else(|| {
        invalid(format!("{what}, {len} bytes at {at}, is out of bounds of the guest's memory"))
    })
}

fn text_of(guest: &mut Guest<'_>, what: &str, at: i32, len: i32, limit: u32) -> wasmtime::Result<String> {
    if len.cast_unsigned() > limit {
        return Err(invalid(format!("{what} has {} bytes, the limit is {limit}", len.cast_unsigned())));
    }
    let memory = memory(guest)?;
    let bytes = slice(memory.data(&*guest), what, at, len)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid(format!("{what} is not UTF-8")))
}

fn write(guest: &mut Guest<'_>, what: &str, value: &[u8], out: i32, out_len: i32) -> wasmtime::Result<i32> {
    let fits = value.len().min(out_len.cast_unsigned() as usize);
    let memory = memory(guest)?;
    let at = out.cast_unsigned() as usize;
    if fits > 0 {
        let room = memory.data_mut(&mut *guest).get_mut(at..at.saturating_add(fits));
        room.ok_or_else(|| {
            invalid(format!("{what}, {fits} bytes at {at}, is out of bounds of the guest's memory"))
        })?
        .copy_from_slice(&value[..fits]);
    }
    i32::try_from(value.len()).map_err(|_| invalid(format!("{what} would take over 2 GiB")))
}
