//! What a function is given, whatever its code.

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::host::Grants;
use crate::limits::Limits;
use crate::wasm::fault::Refused;
use crate::wasm::monotonic::Monotonic;

/// The most random bytes that a guest gets in one call; more would take milliseconds that nothing interrupts.
const MAX_RANDOM: u64 = 1 << 20;

/// What a function is given, whatever its code.
#[derive(Clone, Default)]
pub(crate) struct Recipe {
    pub(crate) limits: Limits,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dirs: Vec<Dir>,
    pub(crate) event_variables: bool,
    pub(crate) init_export: Option<String>,
    pub(crate) grants: Grants,
    /// What guests may reach over HTTP.
    #[cfg(feature = "http")]
    pub(crate) outbound: crate::outbound::Policy,
    /// How many events one guest serves at once, and in all; none if it serves one after another.
    pub(crate) max_in_flight: Option<(u32, u64)>,
}

/// A folder that a function was granted.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    pub(crate) host: std::path::PathBuf,
    pub(crate) guest: String,
    pub(crate) writable: bool,
}

impl Recipe {
    /// Begins the part of WASI that the function was granted: clocks, randomness, its variables and folders.
    pub(crate) fn wasi(&self, name: &str) -> wasmtime::Result<WasiCtxBuilder> {
        let mut builder = WasiCtxBuilder::new();
        builder.monotonic_clock(Monotonic);
        builder.max_random_size(MAX_RANDOM).arg(name).args(&self.args).envs(&self.env);
        // No address passes, whatever the guest asks of its sockets.
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        for dir in &self.dirs {
            let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
                let host = dir.host.display();
                Refused::Missing(format!("granted folder {host} cannot be opened: {error:#}; put it back"))
            })?;
        }
        Ok(builder)
    }
}
