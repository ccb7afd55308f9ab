//! Functions over HTTP: the gateway, which mounts in a service of the host's own.

pub mod lambda;
mod serve;

pub use self::serve::{ServeOptions, Served};
