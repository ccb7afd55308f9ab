//! What code says of itself that matters for a snapshot.

use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload};

/// What code says of itself that matters for a snapshot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// It exports an init and a handler of one of our contracts.
    pub(super) has_init: bool,
    /// It keeps state with the engine, where no snapshot can reach it.
    pub(super) keeps_state: Option<&'static str>,
}

const RESOURCES: &str = "the component makes resources of its own, which live outside of its memories";
const CONCURRENCY: &str =
    "the component uses asynchronous functions, whose state lives outside of its memories";

impl Signs {
    /// Reads the sections, not the bodies.
    pub(super) fn of(binary: &[u8]) -> wasmparser::Result<Self> {
        let (mut signs, mut depth) = (Self::default(), 0);
        let (mut init, mut handler) = (false, false);
        for payload in Parser::new(0).parse_all(binary) {
            let mut note = |name: &str| {
                init |= name == "fnhost_init" || name.starts_with("fnhost:function/init@0.1.");
                handler |= name == "fnhost_handle" || name.starts_with("fnhost:function/handler@0.1.");
            };
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ExportSection(exports) if depth == 0 => {
                    exports.into_iter().try_for_each(|export| export.map(|export| note(export.name)))?;
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    exports.into_iter().try_for_each(|export| export.map(|export| note(export.name.name)))?;
                }
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions {
                        signs.keeps_state = signs.keeps_state.or(kept_by(&function?));
                    }
                }
                _ => {}
            }
        }
        signs.has_init = init && handler;
        Ok(signs)
    }
}

fn kept_by(function: &CanonicalFunction) -> Option<&'static str> {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            let is_async = |option: &CanonicalOption| {
                matches!(option, CanonicalOption::Async | CanonicalOption::Callback(_))
            };
            options.iter().any(is_async).then_some(CONCURRENCY)
        }
        CanonicalFunction::ResourceNew { .. } => Some(RESOURCES),
        CanonicalFunction::ResourceDrop { .. } | CanonicalFunction::ResourceRep { .. } => None,
        _ => Some(CONCURRENCY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(text: &str) -> Signs {
        Signs::of(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn an_init_is_found_beside_its_handler_only() {
        let init = r#"(func (export "fnhost_init") (result i32) i32.const 0)"#;
        let handle = r#"(func (export "fnhost_handle") (param i32 i32) (result i64) i64.const 0)"#;
        assert!(signs(&format!("(module {init} {handle})")).has_init);
        assert!(!signs(&format!("(module {init})")).has_init);
        assert!(
            !signs(&format!("(component (core module {init} {handle}))")).has_init,
            "it is not the outermost"
        );
    }

    #[test]
    fn what_the_engine_keeps_for_a_component_is_seen() {
        let own = "(component (type $t (resource (rep i32))) (core func (canon resource.new $t)))";
        assert_eq!(signs(own).keeps_state, Some(RESOURCES));
        assert_eq!(signs(&format!("(component {own})")).keeps_state, Some(RESOURCES));
        let drops = "(component (type $t (resource (rep i32))) (core func (canon resource.drop $t)))";
        assert_eq!(signs(drops).keeps_state, None);
        let waits = "(component (core func (canon waitable-set.new)))";
        assert_eq!(signs(waits).keeps_state, Some(CONCURRENCY));
    }
}
