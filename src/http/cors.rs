//! Which pages of other origins may call a route, as browsers enforce it.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Which pages of other origins may call a route, as browsers enforce it.
///
/// It restrains browsers only: what may be done by whom is for an authorizer to decide.
///
/// ```
/// use std::time::Duration;
/// use fnhost::http::{Cors, Route};
///
/// let cors = Cors::origins(["https://shop.example"]).credentials(true).max_age(Duration::from_secs(3_600));
/// let route = Route::to("orders").cors(cors);
/// # drop(route);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it allows nothing until it is given to a route"]
pub struct Cors {
    /// None is any.
    origins: Option<Vec<String>>,
    /// None is whatever the route serves.
    methods: Option<Vec<Method>>,
    headers: Vec<String>,
    exposed: Vec<String>,
    credentials: bool,
    max_age: Duration,
}

impl Cors {
    /// Allows pages of these origins, each like `https://shop.example` or `http://localhost:3000`.
    pub fn origins(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { origins: Some(origins.into_iter().map(Into::into).collect()), ..Self::any_origin() }
    }

    /// Allows pages of any origin; never with credentials.
    pub fn any_origin() -> Self {
        Self {
            origins: None,
            methods: None,
            headers: vec!["authorization".into(), "content-type".into()],
            exposed: Vec::new(),
            credentials: false,
            max_age: Duration::from_secs(600),
        }
    }

    /// Sets the methods that pages may use; by default all that the route serves.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Sets the request headers that pages may send; `authorization` and `content-type` by default, beside those
    /// that every page may send.
    pub fn headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers = headers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the headers of the answer that pages may read; none by default, beside those that every page may read.
    pub fn expose(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed = headers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether pages may send cookies and client certificates; false by default.
    pub fn credentials(mut self, credentials: bool) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets how long a browser may remember what was allowed; 10 minutes by default.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Writes all headers once, or says what is wrong and what to do.
    pub(crate) fn build(self) -> Result<Policy, String> {
        if self.credentials && self.origins.is_none() {
            return Err("credentials are never for any origin; name the origins with Cors::origins".into());
        }
        let origins = self.origins.map(|origins| origins.iter().map(|text| origin(text)).collect());
        let methods = self.methods.unwrap_or_default();
        let methods = list(methods.iter().map(Method::as_str))?;
        Ok(Policy {
            origins: origins.transpose()?,
            methods,
            headers: list(names(&self.headers)?.iter().map(HeaderName::as_str))?,
            exposed: list(names(&self.exposed)?.iter().map(HeaderName::as_str))?,
            credentials: self.credentials,
            max_age: self.max_age.as_secs().into(),
        })
    }
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong =
        |what: &str| Err(format!("{text:?} is not an origin: {what}; write it like https://shop.example"));
    let Some((scheme, host)) = text.split_once("://") else { return wrong("it has no scheme") };
    let is_fine =
        |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'+');
    if scheme.is_empty() || host.is_empty() || !scheme.bytes().chain(host.bytes()).all(is_fine) {
        return wrong("it is a scheme and a host in small letters and no more");
    }
    if matches!(scheme, "https") && host.ends_with(":443")
        || matches!(scheme, "http") && host.ends_with(":80")
    {
        return wrong("browsers leave out the scheme's own port");
    }
    HeaderValue::from_str(text).or_else(|_| wrong("it cannot stand in a header"))
}

fn names(texts: &[String]) -> Result<Vec<HeaderName>, String> {
    let name = |text: &String| match text.parse() {
        Ok(name) if text != "*" => Ok(name),
        _ => Err(format!("{text:?} is not the name of a header; name each of them")),
    };
    texts.iter().map(name).collect()
}

/// Joins a list to one header; none where it is empty.
fn list<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Option<HeaderValue>, String> {
    let text = texts.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        return Ok(None);
    }
    HeaderValue::from_str(&text).map(Some).map_err(|_| format!("{text:?} cannot stand in a header"))
}

/// Tells whether a browser asks if it may send a request, and which one.
pub(crate) fn asked(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// What a route says to browsers; all headers are written.
#[derive(Debug)]
pub(crate) struct Policy {
    origins: Option<Vec<HeaderValue>>,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

impl Policy {
    /// Sets the headers of an answer; what a function said to browsers does not count.
    pub(crate) fn mark(&self, request: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_MAX_AGE,
        ] {
            headers.remove(name);
        }
        if self.origins.is_some() {
            // Also for who is not allowed, or has no origin: a cache must not give one the answer of another.
            headers.append(VARY, HeaderValue::from_name(ORIGIN));
        }
        let Some(origin) = request.and_then(|origin| self.allows(origin)) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.as_ref());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Answers what a browser may send; none where the origin may nothing.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> Option<HeaderMap> {
        let origin = request.get(ORIGIN)?;
        self.allows(origin)?;
        let mut headers = HeaderMap::new();
        self.mark(Some(origin), &mut headers);
        // What the answer may not say to a browser that only asks.
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        headers.append(VARY, HeaderValue::from_name(ACCESS_CONTROL_REQUEST_METHOD));
        headers.append(VARY, HeaderValue::from_name(ACCESS_CONTROL_REQUEST_HEADERS));
        // Whoever asks does so for a method that the route serves.
        let methods = self.methods.as_ref().or_else(|| request.get(ACCESS_CONTROL_REQUEST_METHOD));
        set(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, methods);
        set(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, self.headers.as_ref());
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(headers)
    }

    fn allows(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(origins) => origins.iter().find(|known| *known == origin).cloned(),
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    fn text(headers: &HeaderMap) -> Vec<String> {
        let text = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut text: Vec<String> = text.collect();
        text.sort();
        text
    }

    fn marked(cors: Cors, origin: Option<&'static str>) -> Vec<String> {
        let mut answer = headers(&[("access-control-allow-origin", "https://forged.example")]);
        let origin = origin.map(HeaderValue::from_static);
        cors.build().unwrap().mark(origin.as_ref(), &mut answer);
        text(&answer)
    }

    #[test]
    fn only_an_origin_of_the_list_is_named_and_every_answer_varies() {
        let cors = || Cors::origins(["https://a.example", "http://localhost:3000"]);
        let named = ["access-control-allow-origin: http://localhost:3000", "vary: origin"];
        assert_eq!(marked(cors(), Some("http://localhost:3000")), named);
        let others = [
            "https://b.example",
            "https://a.example.evil.example",
            "https://a.example:1",
            "null",
            "HTTPS://A.EXAMPLE",
        ];
        for other in others {
            assert_eq!(marked(cors(), Some(other)), ["vary: origin"], "{other}");
        }
        assert_eq!(marked(cors(), None), ["vary: origin"]);
    }

    #[test]
    fn any_origin_is_a_star_and_varies_not() {
        let cors = || Cors::any_origin().expose(["X-Request-Id"]);
        let expected = ["access-control-allow-origin: *", "access-control-expose-headers: x-request-id"];
        assert_eq!(marked(cors(), Some("https://a.example")), expected);
        assert_eq!(marked(cors(), None), [""; 0]);
    }

    #[test]
    fn credentials_are_said_to_named_origins_only() {
        let cors = Cors::origins(["https://a.example"]).credentials(true);
        assert_eq!(
            marked(cors.clone(), Some("https://a.example"))[0],
            "access-control-allow-credentials: true"
        );
        assert_eq!(marked(cors, Some("https://b.example")), ["vary: origin"]);
        let any = Cors::any_origin().credentials(true).build();
        assert!(any.unwrap_err().contains("name the origins"));
    }

    #[test]
    fn a_browser_that_asks_hears_what_it_may_send() {
        let cors = || Cors::origins(["https://a.example"]).headers(["X-Key", "Content-Type"]);
        let asking = |origin| headers(&[("origin", origin), ("access-control-request-method", "PUT")]);
        let said =
            cors().max_age(Duration::from_secs(7)).build().unwrap().preflight(&asking("https://a.example"));
        let expected = [
            "access-control-allow-headers: x-key, content-type",
            "access-control-allow-methods: PUT",
            "access-control-allow-origin: https://a.example",
            "access-control-max-age: 7",
            "vary: access-control-request-headers",
            "vary: access-control-request-method",
            "vary: origin",
        ];
        assert_eq!(text(&said.unwrap()), expected);
        assert!(cors().build().unwrap().preflight(&asking("https://b.example")).is_none());
        let named = cors().methods([Method::GET, Method::PUT]).build().unwrap();
        let said = named.preflight(&asking("https://a.example")).unwrap();
        assert_eq!(said[ACCESS_CONTROL_ALLOW_METHODS], "GET, PUT");
    }

    #[test]
    fn only_a_preflight_asks() {
        let full = headers(&[("origin", "https://a.example"), ("access-control-request-method", "PUT")]);
        assert_eq!(asked(&Method::OPTIONS, &full), Some(Method::PUT));
        assert_eq!(asked(&Method::GET, &full), None);
        assert_eq!(asked(&Method::OPTIONS, &headers(&[("origin", "https://a.example")])), None);
        assert_eq!(asked(&Method::OPTIONS, &headers(&[("access-control-request-method", "PUT")])), None);
    }

    #[test]
    fn what_is_no_origin_or_header_is_refused() {
        for wrong in [
            "a.example",
            "https://",
            "://a",
            "https://a.example/",
            "https://A.example",
            "https://u@a.example",
            "*",
            "null",
            "https://a.example:443",
            "http://a.example:80",
            "https://*.a.example",
            "https://a\n",
        ] {
            assert!(Cors::origins([wrong]).build().is_err(), "{wrong:?}");
        }
        assert!(Cors::origins(["http://[::1]:3000", "capacitor://localhost"]).build().is_ok());
        assert!(Cors::any_origin().headers(["*"]).build().is_err());
        assert!(Cors::any_origin().expose(["a b"]).build().is_err());
    }
}
