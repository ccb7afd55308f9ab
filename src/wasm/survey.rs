//! What code says of itself before anything is compiled.

use wasmparser::{Parser, Payload};

use crate::error::ErrorKind;
use crate::wasm::artifact::Shape;
use crate::wasm::census::{Census, MOST_INSTANCES};

/// What code says of itself before anything is compiled.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) shape: Shape,
    /// It has tables or tags that may need a heap of the engine's own, which takes a place too.
    pub(crate) uses_heap: bool,
    /// It runs code of its own while a guest is made.
    pub(crate) starts: bool,
    /// How many calls of a guest may run, or wait in the middle, at once; each on a stack of its own.
    pub(crate) calls_at_once: u32,
}

/// Turns text into binary and leaves binary as it is.
pub(crate) fn to_binary<'a>(function: &str, code: &'a [u8]) -> Result<std::borrow::Cow<'a, [u8]>, ErrorKind> {
    if code.is_empty() {
        return Err(compile_error(function, "the code is empty; give a WebAssembly module or component"));
    }
    wat::parse_bytes(code).map_err(|error| compile_error(function, &error.to_string()))
}

impl Survey {
    /// Reads the sections, not the bodies.
    pub(crate) fn of(function: &str, binary: &[u8]) -> Result<Self, ErrorKind> {
        let mut survey = Self { shape: Shape::Module, uses_heap: false, starts: false, calls_at_once: 1 };
        let mut first = true;
        let mut census = Census::default();
        for payload in Parser::new(0).parse_all(binary) {
            let payload = payload.map_err(|error| compile_error(function, &error.to_string()))?;
            if let Payload::Version { encoding, .. } = &payload
                && std::mem::take(&mut first)
                && *encoding == wasmparser::Encoding::Component
            {
                survey.shape = Shape::Component;
            }
            survey.uses_heap |= uses_heap(&payload);
            survey.starts |=
                matches!(payload, Payload::StartSection { .. } | Payload::ComponentStartSection { .. });
            census.read(&payload).map_err(|error| compile_error(function, &error.to_string()))?;
        }
        if census.total().is_none() {
            let message =
                format!("it comes to more than {MOST_INSTANCES} instances, or to an unknown number");
            return Err(compile_error(function, &message));
        }
        survey.calls_at_once = u32::try_from(census.lifting()).unwrap_or(u32::MAX).max(1);
        Ok(survey)
    }
}

fn uses_heap(payload: &Payload<'_>) -> bool {
    match payload {
        Payload::TagSection(_) => true,
        Payload::GlobalSection(globals) => globals.clone().into_iter().flatten().any(|global| {
            matches!(global.ty.content_type, wasmparser::ValType::Ref(ty) if ty != wasmparser::RefType::FUNCREF)
        }),
        Payload::TableSection(tables) => tables
            .clone()
            .into_iter()
            .flatten()
            .any(|table| table.ty.element_type != wasmparser::RefType::FUNCREF),
        _ => false,
    }
}

fn compile_error(function: &str, message: &str) -> ErrorKind {
    ErrorKind::Compile { function: function.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Survey {
        Survey::of("f", &to_binary("f", text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn modules_and_components_are_told_apart() {
        assert_eq!(survey("(module)").shape, Shape::Module);
        assert_eq!(survey("(component (core module))").shape, Shape::Component);
    }

    #[test]
    fn what_may_need_a_heap_is_seen() {
        assert!(!survey("(module (table 1 funcref))").uses_heap);
        assert!(survey("(module (table 1 externref))").uses_heap);
        assert!(survey("(module (global (mut externref) (ref.null extern)))").uses_heap);
        assert!(!survey("(module (global i32 (i32.const 0)))").uses_heap);
        assert!(survey("(component (core module (tag)))").uses_heap);
    }

    #[test]
    fn what_is_no_webassembly_is_refused_with_the_reason() {
        for wrong in [&b"(module"[..], b"", b"\0asm\x09\0\0\0", b"hello"] {
            let read = to_binary("f", wrong).and_then(|binary| Survey::of("f", &binary));
            assert!(matches!(read, Err(ErrorKind::Compile { .. })), "{wrong:?}");
        }
    }
}
