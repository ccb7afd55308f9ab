//! A disk that is full, as a limit on how long a file may become.

use std::time::Duration;

use fnhost::{Broker, Bytes, Event, Function, Runtime, Submission, SubmissionId};

use crate::cache::Folder;
use crate::kit::{Latch, deploy, in_child, native_holding, says, small, until};

/// How many bytes of each event there are, so that the disk is full soon.
const LARGE: usize = 100_000;

fn serve(folder: &std::path::Path, latch: &Latch) -> Runtime {
    let runtime = small().broker(Broker::embedded(folder)).build().unwrap();
    let function: Function = native_holding("held", latch).concurrency(1);
    deploy(&runtime, function);
    runtime
}

#[test]
fn a_full_disk_is_a_clear_error_and_nothing_acknowledged_is_lost() {
    let test = "crashes::full::a_full_disk_is_a_clear_error_and_nothing_acknowledged_is_lost";
    // The signal would end the process; without it the write fails, as on a full disk.
    let said = in_child(test, "-f 16384 && trap '' XFSZ", || {
        let folder = std::mem::ManuallyDrop::new(Folder::new());
        let runtime = serve(folder.path(), &Latch::new());
        let ids = fill(&runtime, folder.path());
        // As a process that is killed: nothing is put in order.
        std::mem::forget(runtime);
        format!("{} {}", folder.path().display(), ids.join(" "))
    });
    let Some(said) = said else { return };
    let mut words = said.split(' ');
    let folder = Folder::at(words.next().unwrap());
    let ids: Vec<_> = words.map(SubmissionId::new).collect();
    assert!(ids.len() > 10, "{ids:?}");
    let latch = Latch::new();
    latch.open();
    let runtime = serve(folder.path(), &latch);
    for id in &ids {
        until("an acknowledged event is done", || {
            let state = runtime.block_on(runtime.submission(id)).unwrap().expect("it is lost");
            matches!(state, Submission::Done { .. })
        });
    }
    let handler = runtime.handler("held").unwrap();
    runtime.block_on(handler.submit(Event::bytes("t", vec![1; LARGE]))).unwrap();
    runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
}

/// Submits until the disk is full, and some more; answers what was acknowledged.
fn fill(runtime: &Runtime, folder: &std::path::Path) -> Vec<String> {
    let handler = runtime.handler("held").unwrap();
    let (mut ids, mut refused) = (Vec::new(), 0);
    while refused < 5 {
        assert!(ids.len() < 1_000, "the disk is never full");
        match runtime.block_on(handler.submit(Event::bytes("t", Bytes::from(vec![1; LARGE])))) {
            Ok(accepted) => ids.push(accepted.id().to_string()),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind().name(), "broker", "{error}");
                assert!(error.is_retryable());
                says(&error, &[folder.to_str().unwrap(), ";"]);
                eprintln!("{error}");
            }
        }
    }
    ids
}
