//! What is known of code once it was compiled: all that a deployment needs without loading it again.

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use crate::admission::Amount;
use crate::error::{ErrorKind, MemoryScope};
use crate::limits::{Limits, PAGE};
use crate::wasm::artifact::{Loaded, Shape};
use crate::wasm::contract::{Code, Contract};
use crate::wasm::engine::{Kind, STACKS_OF_A_PLACE, TABLES_OF_A_PLACE};
use crate::wasm::linker;
use crate::wasm::survey::Survey;

/// What is known of code once it was compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) contract: Contract,
    /// It has an init of its contract's.
    pub(crate) has_init: bool,
    pub(crate) imports_wasi: bool,
    /// A guest may serve several events at once.
    serves_several: bool,
    /// It may want to make HTTP requests.
    pub(crate) imports_outbound: bool,
    /// Nothing of the guest's runs, and nothing is waited for, while an instance is made.
    pub(crate) is_quiet: bool,
    places: u32,
    largest_memory: u64,
    memories: u32,
    largest_table: u64,
}

impl Findings {
    pub(crate) fn of(
        function: &str,
        kind: Kind,
        survey: &Survey,
        (loaded, code): (&Loaded, &Code),
    ) -> Result<Self, ErrorKind> {
        let required = match loaded {
            Loaded::Module(module) => module.resources_required(),
            Loaded::Component(component) => {
                component.resources_required().ok_or_else(|| ErrorKind::InvalidConfiguration {
                    reason: format!(
                        "{function:?} imports modules or components, so its size is unknown; link it whole"
                    ),
                })?
            }
        };
        // A guest without memory takes a place all the same: it has a stack and tables.
        let tables = required.num_tables.div_ceil(TABLES_OF_A_PLACE);
        let stacks = match kind {
            Kind::Plain => 1,
            // One is kept for the next call while all others wait.
            Kind::Concurrent => survey.calls_at_once.saturating_add(1).div_ceil(STACKS_OF_A_PLACE),
        };
        Ok(Self {
            kind,
            shape: survey.shape,
            contract: code.contract(),
            has_init: code.has_init(),
            imports_wasi: imports_wasi(loaded),
            serves_several: code.serves_several(),
            imports_outbound: imports_outbound(loaded),
            is_quiet: !survey.starts && imports_nothing_async(loaded),
            places: required.num_memories.max(tables).max(stacks) + u32::from(survey.uses_heap),
            largest_memory: required.max_initial_memory_size.unwrap_or(0),
            memories: required.num_memories,
            largest_table: required.max_initial_table_size.unwrap_or(0),
        })
    }

    /// Tells whether a guest may do several things at once.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.serves_several
    }

    /// Returns what one guest takes at first: places, and at most so many pages.
    pub(crate) fn need(&self) -> Amount {
        Amount::new(self.places, self.largest_memory.saturating_mul(self.memories.into()))
    }

    /// Checks the first size of memories and tables against the limits.
    pub(crate) fn check_limits(
        &self,
        function: &str,
        limits: &Limits,
        total: Amount,
    ) -> Result<(), ErrorKind> {
        let asked = self.largest_memory.saturating_mul(PAGE);
        if asked > limits.memory {
            return Err(ErrorKind::MemoryExceeded {
                scope: MemoryScope::Function,
                limit: limits.memory,
                asked,
            });
        }
        let limit = limits.table_elements.into();
        if self.largest_table > limit {
            return Err(ErrorKind::TableExceeded { limit, asked: self.largest_table });
        }
        if self.places <= total.units() && self.largest_memory <= total.pages() {
            return Ok(());
        }
        let reason = format!(
            "a guest of {function:?} needs {} places and {asked} bytes of memory, the runtime has {} and {}; raise \
             `places` or `memory` of the runtime",
            self.places,
            total.units(),
            total.pages() * PAGE
        );
        Err(ErrorKind::InvalidConfiguration { reason })
    }
}

fn imports_outbound(loaded: &Loaded) -> bool {
    let sends = ["wasi:http/outgoing-handler@", "wasi:http/client@", "wasi:http/handler@"];
    match loaded {
        Loaded::Module(_) => false,
        Loaded::Component(component) => {
            imported(component).iter().any(|name| sends.iter().any(|send| name.starts_with(send)))
        }
    }
}

fn imports_wasi(loaded: &Loaded) -> bool {
    match loaded {
        Loaded::Module(module) => module.imports().any(|import| linker::needs_wasi(import.module())),
        Loaded::Component(component) => imported(component).iter().any(|name| linker::needs_wasi(name)),
    }
}

/// Tells whether everything imported answers at once, so that the engine needs no fiber for an instance.
fn imports_nothing_async(loaded: &Loaded) -> bool {
    match loaded {
        Loaded::Module(module) => {
            module.imports().all(|import| import.module() == "fnhost" && import.name() != "call")
        }
        Loaded::Component(component) => imported(component).iter().all(|name| {
            name.starts_with("fnhost:function/types@")
                || name.starts_with("fnhost:function/context@")
                || name == linker::LOGGING
        }),
    }
}

fn imported(component: &Component) -> Vec<String> {
    component.component_type().imports(component.engine()).map(|(name, _)| name.into()).collect()
}
