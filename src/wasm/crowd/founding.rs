//! A crowd whose guest is still to come: others may join before it is there, and wait for it together.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::mpsc;

use crate::error::ErrorKind;
use crate::lane;
use crate::pool::{Carried, Tenant};
use crate::wasm::contract::http::Visit;
use crate::wasm::crowd::{Crowd, Crowds, Guard, Joined, serve};
use crate::wasm::guest::Guest;
use crate::wasm::sandbox::Sandbox;

/// Brings the guest that a crowd is to have; dropping it tells whoever has joined that none comes.
#[must_use]
pub(super) struct Founder<'a> {
    first: Joined,
    inside: mpsc::UnboundedReceiver<Visit>,
    awaited: Awaited<'a>,
}

/// Ends the waiting of whoever has joined.
struct Awaited<'a> {
    crowds: &'a Crowds,
    crowd: Arc<Crowd>,
}

impl Crowds {
    /// Puts a crowd on the list, and its founder into it; its guest has served so often before.
    pub(super) fn found(
        &self,
        (tenant, lane): (&Tenant, usize),
        uses: u64,
    ) -> Result<Founder<'_>, ErrorKind> {
        let (door, inside) = mpsc::unbounded_channel();
        let crowd = Arc::new(Crowd::new(tenant.clone(), lane, door, self.max_uses.saturating_sub(uses)));
        let first = Crowd::join(&crowd, 1).ok_or(ErrorKind::ShuttingDown)?;
        self.lane(lane).lock().push(Arc::clone(&crowd));
        Ok(Founder { first, inside, awaited: Awaited { crowds: self, crowd } })
    }
}

impl Founder<'_> {
    /// Has the guest serve whoever is in, and whoever joins.
    pub(super) fn open(
        self,
        sandbox: &Arc<Sandbox>,
        carried: Carried<Box<Guest>>,
    ) -> Result<Joined, ErrorKind> {
        let runtime = lane::runtime().or_else(|| sandbox.io().cloned()).ok_or(ErrorKind::ShuttingDown)?;
        let guard = Guard(Arc::clone(&self.awaited.crowd), Arc::clone(sandbox));
        self.awaited.crowd.is_open.store(true, SeqCst);
        runtime.spawn(serve(Arc::clone(sandbox), guard, carried, self.inside));
        Ok(self.first)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if !self.crowd.is_open.load(SeqCst) {
            self.crowds.remove(&self.crowd);
        }
        self.crowd.awaited.close();
    }
}
