//! Compiled code, kept once and mapped by every shard.

use std::fs::File;

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Compiled code, as the compiler of this process made it.
///
/// It lies in an anonymous file where the system has those, so that all shards map the same pages: what a large
/// guest compiles to is tens of megabytes.
pub(crate) struct Artifact {
    shape: Shape,
    code: Code,
}

/// What was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Module,
    Component,
}

/// What was loaded.
pub(crate) enum Loaded {
    Module(Module),
    Component(Component),
}

enum Code {
    File(File),
    Bytes(Vec<u8>),
}

impl Artifact {
    /// Compiles; `engine` is one that only compiles, of the kind that the code is for.
    pub(crate) fn compile(engine: &Engine, shape: Shape, binary: &[u8]) -> wasmtime::Result<Self> {
        let code = match shape {
            Shape::Module => engine.precompile_module(binary)?,
            Shape::Component => engine.precompile_component(binary)?,
        };
        let code = anonymous_file(&code).map_or(Code::Bytes(code), Code::File);
        Ok(Self { shape, code })
    }

    /// Loads the code into an engine of the kind that it was compiled for.
    #[expect(unsafe_code, reason = "the one place where native code is loaded")]
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Loaded> {
        // SAFETY: what is loaded is what `compile` got from the compiler in this very process. It lies in memory
        // of this process or in an anonymous file that has no name, that nobody else was handed, and that is
        // never written again; whoever could change either could change this process anyway.
        unsafe {
            Ok(match (&self.code, self.shape) {
                (Code::File(file), Shape::Module) => {
                    Loaded::Module(Module::deserialize_file(engine, path(file))?)
                }
                (Code::File(file), Shape::Component) => {
                    Loaded::Component(Component::deserialize_file(engine, path(file))?)
                }
                (Code::Bytes(bytes), Shape::Module) => Loaded::Module(Module::deserialize(engine, bytes)?),
                (Code::Bytes(bytes), Shape::Component) => {
                    Loaded::Component(Component::deserialize(engine, bytes)?)
                }
            })
        }
    }
}

#[cfg(target_os = "linux")]
fn anonymous_file(code: &[u8]) -> Option<File> {
    use std::io::Write;

    let file = rustix::fs::memfd_create("fnhost-code", rustix::fs::MemfdFlags::CLOEXEC).ok()?;
    let mut file = File::from(file);
    file.write_all(code).ok()?;
    // Without /proc it could not be opened again.
    std::fs::exists(path(&file)).ok()?.then_some(file)
}

#[cfg(target_os = "linux")]
fn path(file: &File) -> String {
    use std::os::fd::AsRawFd;

    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(not(target_os = "linux"))]
fn anonymous_file(_: &[u8]) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn path(_: &File) -> String {
    unreachable!("there are no anonymous files here")
}
