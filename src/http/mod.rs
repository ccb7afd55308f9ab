//! Functions over HTTP: the gateway, which mounts in a service of the host's own.

mod files;
mod serve;

pub use self::files::Files;
pub use self::serve::{ServeOptions, Served};
