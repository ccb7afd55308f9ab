//! A plug-in that answers JSON with JSON: the logic of `tests/guests/json`.

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::{Deserialize, Serialize};

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

#[plugin_fn]
pub fn json(Json(question): Json<Question>) -> FnResult<Json<Answer>> {
    Ok(Json(Answer {
        greeting: format!("Hello, {}!", question.name),
        sum: question.numbers.iter().sum(),
        count: question.numbers.len(),
    }))
}
