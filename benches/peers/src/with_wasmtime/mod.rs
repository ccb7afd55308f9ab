//! The bare engine with default settings: no limit, no deadline, no pool; threads share engine and code.

mod bytes_contract;
mod component;

use crate::crew::Worker;
use crate::work::{Guest, Life, Work};

pub(crate) fn workers(work: &Work, life: Life, threads: usize) -> Vec<Worker> {
    match work.guest {
        Guest::Bytes(code) => bytes_contract::workers(code, work, life, threads),
        Guest::Component(code) => component::workers(code, work, life, threads),
    }
}
