//! What guests may import, and what to say when they want something else.

use std::sync::{Arc, OnceLock};

use ::bytes::Bytes;
use tokio::runtime::Handle;
use wasmtime::component::{Component, Resource};
use wasmtime::{Engine, ExternType, Module, ValType};
use wasmtime_wasi::WasiView;

use crate::error::{ErrorKind, Failure};
use crate::wasm::contract::bytes::bridge::Bridge;
use crate::wasm::contract::{bytes as bytes_contract, function};
use crate::wasm::engine::Kind;
use crate::wasm::state::State;

/// The version of WASI that the engine implements; a guest may be built against any 0.2 up to it, and against
/// a later one as long as it uses nothing new.
const WASI: &str = "0.2.12";
const WASI_3: &str = "0.3.0";
pub(crate) const LOGGING: &str = "wasi:logging/logging@0.1.0-draft";
pub(crate) const PREVIEW_1: &str = "wasi_snapshot_preview1";
/// The packages that components may import from, and their versions.
const OFFERED: [(&str, &str); 15] = [
    ("fnhost:function", "0.1.0"),
    ("wasi:cli", WASI),
    ("wasi:clocks", WASI),
    ("wasi:filesystem", WASI),
    ("wasi:http", WASI),
    ("wasi:io", WASI),
    ("wasi:random", WASI),
    ("wasi:sockets", WASI),
    ("wasi:logging", "0.1.0-draft"),
    ("wasi:cli", WASI_3),
    ("wasi:clocks", WASI_3),
    ("wasi:filesystem", WASI_3),
    ("wasi:http", WASI_3),
    ("wasi:random", WASI_3),
    ("wasi:sockets", WASI_3),
];

/// The linkers of one engine, made when they are first needed.
pub(crate) struct Linkers {
    engine: Engine,
    kind: Kind,
    components: OnceLock<wasmtime::component::Linker<State>>,
    modules: OnceLock<wasmtime::Linker<State>>,
    pub(crate) bridge: Arc<Bridge>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine, kind: Kind) -> Self {
        Self {
            engine: engine.clone(),
            kind,
            components: OnceLock::new(),
            modules: OnceLock::new(),
            bridge: Arc::default(),
        }
    }

    /// Links a component, or says which import is wrong, and what to do.
    pub(crate) fn component(
        &self,
        function: &str,
        component: &Component,
    ) -> Result<wasmtime::component::InstancePre<State>, ErrorKind> {
        let types = component.component_type();
        let names: Vec<String> = types.imports(&self.engine).map(|(name, _)| name.into()).collect();
        for name in &names {
            check_offered(function, name)?;
        }
        let linker = match self.components.get() {
            Some(linker) => linker,
            None => {
                let linker = component_linker(&self.engine, self.kind).map_err(broken)?;
                self.components.get_or_init(|| linker)
            }
        };
        linker.instantiate_pre(component).map_err(|error| mismatch(function, &names, &error))
    }

    /// Links a module, or says which import is wrong, and what to do.
    pub(crate) fn module(
        &self,
        function: &str,
        module: &Module,
    ) -> Result<wasmtime::InstancePre<State>, ErrorKind> {
        let linker = match self.modules.get() {
            Some(linker) => linker,
            None => {
                let linker = module_linker(&self.engine).map_err(broken)?;
                self.modules.get_or_init(|| linker)
            }
        };
        linker.instantiate_pre(module).map_err(|error| module_mismatch(function, module, &error))
    }
}

fn component_linker(engine: &Engine, kind: Kind) -> wasmtime::Result<wasmtime::component::Linker<State>> {
    let mut linker = wasmtime::component::Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Once more, as the engine's own streams ask for all of WASI to find the table, and would have it made.
    linker.allow_shadowing(true);
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if kind == Kind::Concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    function::define(&mut linker)?;
    define_reasons(&mut linker)?;
    Ok(linker)
}

/// Tells guests why a stream failed, in the message alone: where the process shows backtraces, the engine's own answer
/// names the host's functions.
fn define_reasons(linker: &mut wasmtime::component::Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:io/error@0.2.12")?.func_wrap(
        "[method]error.to-debug-string",
        |mut store: wasmtime::StoreContextMut<'_, State>, (error,): (Resource<wasmtime::Error>,)| {
            let error = store.data_mut().ctx().table.get(&error)?;
            Ok((format!("{error:#}"),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn module_linker(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<State>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, State::p1)?;
    bytes_contract::define(&mut linker)?;
    Ok(linker)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn broken(error: wasmtime::Error) -> ErrorKind {
    ErrorKind::Engine { reason: format!("the imports cannot be defined: {error:#}") }
}

/// Tells whether code that imports this needs WASI's state beside it.
pub(crate) fn needs_wasi(import: &str) -> bool {
    import == PREVIEW_1 || (import.starts_with("wasi:") && import != LOGGING)
}

/// Calls a granted function on behalf of the guest.
///
/// The guest is polled under our own small runtime; what the host granted belongs to the host, so it is polled
/// under the host's again.
pub(crate) async fn call_granted(state: &mut State, name: &str, body: Bytes) -> Result<Bytes, Failure> {
    let context = state.context();
    let mut granted = std::pin::pin!(state.linked.recipe.grants.call(name, body, context));
    std::future::poll_fn(|cx| {
        let _entered = state.host.as_ref().map(Handle::enter);
        granted.as_mut().poll(cx)
    })
    .await
}

/// Checks an import's name and version before the engine looks at its types.
fn check_offered(function: &str, import: &str) -> Result<(), ErrorKind> {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let package = interface.split('/').next().unwrap_or(interface);
    let wanted = if version.is_empty() { "any version".into() } else { version.to_string() };
    let link = |offered: String, fix: &str| {
        Err(ErrorKind::Link {
            function: function.into(),
            import: import.into(),
            wanted: wanted.clone(),
            offered,
            fix: fix.into(),
        })
    };
    let known: Vec<&str> =
        OFFERED.iter().filter(|(known, _)| *known == package).map(|(_, version)| *version).collect();
    if known.is_empty() {
        let all = OFFERED.map(|(package, version)| format!("{package}@{version}")).join(", ");
        let fix = if interface.contains(':') {
            "build the code without it, or grant the host's own function with `.grant` and call it by name"
        } else {
            "grant the host's function with `.grant` and call it through fnhost:function/host"
        };
        return link(all, fix);
    }
    if known.iter().any(|offered| is_compatible(version, offered)) {
        Ok(())
    } else {
        link(known.join(" and "), "build it against an offered version")
    }
}

/// Tells whether the two are of one semantic-version track.
fn is_compatible(wanted: &str, offered: &str) -> bool {
    let track = |version: &str| {
        let mut parts = version.splitn(3, '.');
        let (major, minor) = (parts.next()?.to_string(), parts.next()?.to_string());
        Some(if major == "0" { (major, minor) } else { (major, String::new()) })
    };
    let is_draft = |version: &str| version.contains('-');
    wanted == offered || (!is_draft(wanted) && !is_draft(offered) && track(wanted) == track(offered))
}

fn mismatch(function: &str, names: &[String], error: &wasmtime::Error) -> ErrorKind {
    let text = format!("{error:#}");
    let import = names.iter().find(|name| text.contains(&format!("`{name}`")));
    let version =
        import.and_then(|name| name.split_once('@')).map_or("the type it was built with", |(_, v)| v);
    ErrorKind::Link {
        function: function.into(),
        import: import.map_or_else(|| text.clone(), Clone::clone),
        wanted: version.into(),
        offered: format!("another type ({text})"),
        fix: "build it against the interface as this fnhost or its WASI has it".into(),
    }
}

fn module_mismatch(function: &str, module: &Module, error: &wasmtime::Error) -> ErrorKind {
    let text = format!("{error:#}");
    let named = |import: &wasmtime::ImportType<'_>| format!("{}::{}", import.module(), import.name());
    let import = module.imports().find(|import| text.contains(&format!("`{}`", named(import))));
    let (name, wanted) = match &import {
        Some(import) => (named(import), type_of(&import.ty())),
        None => (text, "something else".into()),
    };
    let is_ours = import.as_ref().is_some_and(|import| import.module() == "fnhost");
    let fix = if is_ours {
        "correct its name and type; docs/contracts.md lists all"
    } else {
        "build for wasm32-wasip1 or without a host; no other module is offered to core modules"
    };
    ErrorKind::Link {
        function: function.into(),
        import: name,
        wanted,
        offered: format!("{PREVIEW_1} (46 functions) and fnhost ({})", bytes_contract::IMPORTS.join(", ")),
        fix: fix.into(),
    }
}

fn type_of(ty: &ExternType) -> String {
    let list = |types: Vec<ValType>| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ty {
        ExternType::Func(ty) => {
            format!("a function ({}) -> ({})", list(ty.params().collect()), list(ty.results().collect()))
        }
        ExternType::Global(_) => "a global".into(),
        ExternType::Table(_) => "a table".into(),
        ExternType::Memory(_) => "a memory".into(),
        ExternType::Tag(_) => "a tag".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_track_fit() {
        assert!(is_compatible("0.2.0", "0.2.12") && is_compatible("0.2.99", "0.2.12"));
        assert!(is_compatible("1.5.0", "1.2.0") && is_compatible("0.1.0-draft", "0.1.0-draft"));
        assert!(!is_compatible("0.3.0", "0.2.12") && !is_compatible("0.2.0-rc.1", "0.2.12"));
        assert!(!is_compatible("0.1.0", "0.1.0-draft") && !is_compatible("", "0.2.12"));
    }

    #[test]
    fn a_missing_import_names_itself_what_is_offered_and_the_fix() {
        let error = check_offered("f", "wasi:keyvalue/store@0.2.0-draft").unwrap_err().to_string();
        for part in ["wasi:keyvalue/store@0.2.0-draft", "wants 0.2.0-draft", "wasi:cli@0.2.12", ".grant"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = check_offered("f", "wasi:clocks/wall-clock@0.4.0").unwrap_err().to_string();
        assert!(error.contains("offered is 0.2.12 and 0.3.0"), "{error}");
    }
}
