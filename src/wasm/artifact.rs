//! Compiled code: where it lies, and how it gets into an engine.

use std::fs::File;

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// What was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Module,
    Component,
}

/// What was loaded.
pub(crate) enum Loaded {
    Module(Module),
    Component(Component),
}

/// Compiled code that is believed: the compiler of this process made it, or it verified, or the host vouches.
///
/// It lies in a file where the system can open one again by its descriptor, so that all shards map the same
/// pages: what a large guest compiles to is tens of megabytes.
pub(crate) enum Artifact {
    /// An open file: an anonymous one, or one of the cache folder that was verified through this descriptor.
    File(File),
    Bytes(Vec<u8>),
}

impl Artifact {
    /// Compiles; `engine` is one that only compiles, of the kind that the code is for.
    pub(crate) fn compile(engine: &Engine, shape: Shape, binary: &[u8]) -> wasmtime::Result<Vec<u8>> {
        match shape {
            Shape::Module => engine.precompile_module(binary),
            Shape::Component => engine.precompile_component(binary),
        }
    }

    /// Takes what [`compile`](Self::compile) answered in this process, or what the host vouches for.
    pub(crate) fn of_bytes(code: Vec<u8>) -> Self {
        anonymous_file(&code).map_or(Self::Bytes(code), Self::File)
    }

    /// Takes a file of the cache folder that was verified through this very descriptor.
    pub(crate) fn of_file(file: &File) -> std::io::Result<Self> {
        if can_open_again(file) {
            return file.try_clone().map(Self::File);
        }
        let mut code = Vec::new();
        let mut file = file;
        std::io::Seek::rewind(&mut file)?;
        std::io::Read::read_to_end(&mut file, &mut code)?;
        Ok(Self::Bytes(code))
    }

    /// Loads the code into an engine of the kind that it was compiled for.
    #[expect(unsafe_code, reason = "the one place where native code is loaded")]
    pub(crate) fn load(&self, shape: Shape, engine: &Engine) -> wasmtime::Result<Loaded> {
        // SAFETY: what is loaded is what the compiler made in this very process, or in an earlier one that kept
        // it in the cache folder, or what the host vouched for in `Function::precompiled`. It lies in memory of
        // this process, in an anonymous file that nobody else was handed, or in a file that only this user may
        // write, that is never written again, and whose every byte was verified through this descriptor. Whoever
        // could change any of these could change this process anyway.
        unsafe {
            Ok(match (self, shape) {
                (Self::File(file), Shape::Module) => {
                    Loaded::Module(Module::deserialize_file(engine, path(file))?)
                }
                (Self::File(file), Shape::Component) => {
                    Loaded::Component(Component::deserialize_file(engine, path(file))?)
                }
                (Self::Bytes(bytes), Shape::Module) => Loaded::Module(Module::deserialize(engine, bytes)?),
                (Self::Bytes(bytes), Shape::Component) => {
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
    can_open_again(&file).then_some(file)
}

/// Tells whether the descriptor has a path; without /proc it has none.
#[cfg(target_os = "linux")]
fn can_open_again(file: &File) -> bool {
    std::fs::exists(path(file)).unwrap_or(false)
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
fn can_open_again(_: &File) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn path(_: &File) -> String {
    unreachable!("no descriptor has a path here")
}
