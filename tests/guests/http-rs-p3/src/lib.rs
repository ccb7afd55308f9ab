//! A guest of wasi:http 0.3: the path says what it does, the query how much of it. It serves several requests at once.

mod answer;
mod bodies;
mod fetch;
mod heads;
mod load;
mod misbehave;
mod question;

use http_parts::HELLO;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Request, Response};

use answer::text;
use load::Load;
use question::Question;

struct Http;

type Answered = Result<Response, ErrorCode>;

impl Guest for Http {
    async fn handle(request: Request) -> Answered {
        let _served = Load::enter();
        route(Question::new(request)).await
    }
}

async fn route(question: Question) -> Answered {
    match question.query.path.as_str() {
        "/" | "/hello" => text(200, HELLO),
        "/count" => text(200, &load::served().to_string()),
        "/peak" => text(200, &load::peak().to_string()),
        "/echo" => bodies::echo(question),
        "/splice" => bodies::splice(question),
        "/sink" => bodies::sink(question).await,
        "/source" => bodies::source(&question),
        "/trailers" => bodies::trailers(question).await,
        "/headers" => heads::headers(&question),
        "/set" => heads::set(&question),
        "/status" => heads::status(&question),
        "/env" => heads::env(),
        "/log" => heads::log(&question),
        "/fetch" => fetch::one(question).await,
        "/fetch-many" => fetch::many(question).await,
        "/keep" => fetch::keep(question).await,
        "/slow" => misbehave::slow(&question).await,
        "/block" => misbehave::block(&question),
        "/hold" => misbehave::hold(&question),
        "/after" => misbehave::after(&question),
        "/early" => text(200, "early\n"),
        "/forget" => misbehave::forget(),
        "/memory" => misbehave::memory(&question),
        "/fail" => misbehave::fail(&question),
        "/trap-late" => misbehave::trap_late(),
        "/never" => misbehave::never().await,
        "/spin" => misbehave::spin(),
        "/trap" => core::arch::wasm32::unreachable(),
        "/panic" => panic!("guest panicked on purpose"),
        other => text(404, &format!("no such path: {other}\n")),
    }
}

wasip3::http::service::export!(Http);
