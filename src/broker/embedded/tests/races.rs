//! What comes while the committer is at work: cancels, verdicts, and what follows from them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::media::Media;
use super::{clock, draft, drain, run, watched};
use crate::broker::embedded::Probe;
use crate::broker::embedded::pen::number_of;
use crate::broker::{Cancel, Channel, Depth, Store};

#[test]
fn what_is_about_to_be_cancelled_is_not_handed_out() {
    let (clock, probe) = (clock(), Probe::default());
    run(async {
        let store = watched(&Media::default(), &clock, probe.clone()).unwrap();
        let id = store.put(vec![draft("f.a", "a", &clock)]).await.unwrap().remove(0).id;
        // Given back, it stands in memory, ready to be handed out.
        drop(drain(&store, "f.a"));
        probe.delay(Duration::from_millis(200));
        let (cancelling, named) = (Arc::clone(&store), id.clone());
        let cancel = tokio::spawn(async move { cancelling.cancel(&named).await.unwrap() });
        while store.shared.board.lock().changing(number_of(&id).unwrap()).is_none() {
            tokio::task::yield_now().await;
        }
        assert!(drain(&store, "f.a").is_empty(), "it runs, and is cancelled");
        assert_eq!(cancel.await.unwrap(), Cancel::Cancelled);
        assert_eq!(store.depth(&Channel::new("f.a")).await.unwrap(), Depth::default());
    });
}
