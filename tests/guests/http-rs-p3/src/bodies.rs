//! What reads and writes bodies of any size, a chunk at a time.

use http_parts::{Checksum, Pattern};
use wasip3::http::types::{Fields, Response};

use crate::Answered;
use crate::answer::{Outgoing, streamed, text, typed};
use crate::question::Question;

pub(crate) fn echo(question: Question) -> Answered {
    let headers = same_type(&question);
    let body = question.body();
    streamed(200, headers, async |answer: Outgoing| answer.pipe(body).await)
}

/// Echoes as well, and lets the host move the bytes.
pub(crate) fn splice(question: Question) -> Answered {
    let headers = same_type(&question);
    let body = question.body();
    let (response, _sent) = Response::new(headers, Some(body.stream), body.trailers);
    Ok(response)
}

/// Answers how many bytes came, and their checksum.
pub(crate) async fn sink(question: Question) -> Answered {
    let mut checksum = Checksum::default();
    match question.body().each(|chunk| checksum.add(chunk)).await {
        Ok(_) => text(200, &checksum.text()),
        Err(code) => text(400, &format!("the body ended after {} bytes: {code:?}\n", checksum.bytes)),
    }
}

pub(crate) fn source(question: &Question) -> Answered {
    let mut pattern = Pattern::new(question.query.number("bytes"));
    streamed(200, typed("application/octet-stream"), async move |mut answer: Outgoing| {
        while let Some(chunk) = pattern.next() {
            if !answer.write(chunk.to_vec()).await {
                return;
            }
        }
        answer.finish(Ok(None)).await;
    })
}

/// Answers the trailers that came, and sends one that says how long the body was.
pub(crate) async fn trailers(question: Question) -> Answered {
    let mut bytes = 0;
    let came = question.body().each(|chunk| bytes += chunk.len()).await?;
    let lines: String = came
        .map(|trailers| trailers.copy_all())
        .unwrap_or_default()
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)))
        .collect();
    let headers = typed("text/plain; charset=utf-8");
    headers.set("trailer", &["x-bytes".into()]).expect("a name and a value that are allowed");
    streamed(200, headers, async move |mut answer: Outgoing| {
        answer.write(lines.into_bytes()).await;
        let trailers = Fields::new();
        trailers.set("x-bytes", &[bytes.to_string().into()]).expect("a name and a value that are allowed");
        answer.finish(Ok(Some(trailers))).await;
    })
}

fn same_type(question: &Question) -> Fields {
    let headers = Fields::new();
    headers.set("content-type", &question.headers.get("content-type")).expect("it came in as a header");
    headers
}
