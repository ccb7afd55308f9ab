//! A guest that answers JSON with JSON.

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct Json;

#[derive(Deserialize)]
struct Question {
    name: String,
    #[serde(default)]
    numbers: Vec<f64>,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
    sum: f64,
    count: usize,
}

impl Guest for Json {
    fn handle(event: Event) -> Result<Response, Failure> {
        let question: Question = serde_json::from_slice(&event.body).map_err(bad_request)?;
        let answer = Answer {
            greeting: format!("Hello, {}!", question.name),
            sum: question.numbers.iter().sum(),
            count: question.numbers.len(),
        };
        Ok(Response {
            content_type: Some("application/json".into()),
            attributes: Vec::new(),
            body: serde_json::to_vec(&answer).map_err(bad_request)?,
        })
    }
}

fn bad_request(error: serde_json::Error) -> Failure {
    Failure { kind: "bad-request".into(), message: error.to_string(), retryable: false }
}

export!(Json);
