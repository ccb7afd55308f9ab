//! Counts a batch of clicks: what one ad was clicked goes to the host in one call, `ledger.count`.
//!
//! A click of an ad that the ledger does not know yet has failed, and comes again; the others of its batch are done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};
use fnhost::function::host;

struct Clicks;

/// What a batch consists of: an event in the JSON format of CloudEvents.
#[derive(Deserialize)]
struct Clicked {
    id: String,
    data: Click,
}

#[derive(Deserialize)]
struct Click {
    ad: String,
}

/// The clicks of one ad, each by its id: so that the host counts one that comes twice only once.
#[derive(Serialize)]
struct Count {
    ad: String,
    clicks: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failures {
    batch_item_failures: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    item_identifier: String,
}

impl Guest for Clicks {
    fn handle(event: Event) -> Result<Response, Failure> {
        let batch: Vec<Clicked> = serde_json::from_slice(&event.body).map_err(unreadable)?;
        let mut ads = BTreeMap::<String, Vec<String>>::new();
        for clicked in batch {
            ads.entry(clicked.data.ad).or_default().push(clicked.id);
        }
        let mut failed = Vec::new();
        for (ad, clicks) in ads {
            failed.extend(count(Count { ad, clicks })?);
        }
        let failed = failed.into_iter().map(|item_identifier| Failed { item_identifier });
        let answer = Failures { batch_item_failures: failed.collect() };
        Ok(Response {
            content_type: Some("application/json".into()),
            attributes: Vec::new(),
            body: serde_json::to_vec(&answer).map_err(unreadable)?,
        })
    }
}

/// Has the clicks of one ad counted; answers those that were not.
fn count(count: Count) -> Result<Vec<String>, Failure> {
    match host::call("ledger.count", &serde_json::to_vec(&count).map_err(unreadable)?) {
        Ok(_) => Ok(Vec::new()),
        Err(failure) if failure.kind == "unknown-ad" => Ok(count.clicks),
        // The ledger may be there again when the whole batch comes again.
        Err(failure) => Err(Failure { kind: failure.kind, message: failure.message, retryable: true }),
    }
}

fn unreadable(error: serde_json::Error) -> Failure {
    Failure { kind: "unreadable".into(), message: error.to_string(), retryable: false }
}

export!(Clicks);
