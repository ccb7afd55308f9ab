//! Who may buy: gives out tokens for a password, and makes the authorizer that takes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fnhost::http::{Jwt, JwtKey};
use fnhost::{Event, Failure, Function, Response};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::json;

use crate::Problem;

/// The one customer of the demonstration; `page/index.html` shows both.
pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "lovelace";
const TEAM: &str = "analytical-engines";
const SHOP: &str = "shop";
const VALID: Duration = Duration::from_secs(300);

/// Where customers log in. Its secret is new each time the shop opens, and so are all tokens.
pub(crate) struct Desk([u8; 32]);

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

impl Desk {
    pub(crate) fn open() -> Result<Self, Problem> {
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| "the system gives no random numbers")?;
        Ok(Self(secret))
    }

    /// Returns the function `login`, which the host trusts with its secret and therefore runs in no sandbox.
    pub(crate) fn function(&self) -> Function {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        Function::native("login", move |event, _| std::future::ready(log_in(&key, &event)))
    }

    /// Returns what lets in whoever has a token of this desk; functions read the user as `auth.sub`.
    pub(crate) fn authorizer(&self) -> Result<Jwt, Problem> {
        let key = JwtKey::hmac(self.0)?;
        Ok(Jwt::new([key]).issuer(SHOP).audience(SHOP).tenant_claim("team").attribute("sub"))
    }
}

fn log_in(key: &hmac::Key, event: &Event) -> Result<Response, Failure> {
    let Ok(login) = event.body_json::<Login>() else {
        return refuse("422", "invalid-login", "send {\"user\": \"...\", \"password\": \"...\"} as JSON");
    };
    if !is_known(key, &login) {
        return refuse("401", "wrong-password", "there is no such user with this password");
    }
    let answer = json!({ "user": login.user, "token": token(key, &login.user), "seconds": VALID.as_secs() });
    Ok(Response::from_json(&answer)?.with_attribute("http.header.cache-control", "no-store"))
}

/// Compares in a time that tells nothing of the password. A real shop keeps slow hashes of its passwords instead.
fn is_known(key: &hmac::Key, login: &Login) -> bool {
    let tag = hmac::sign(key, PASSWORD.as_bytes());
    let is_right = hmac::verify(key, login.password.as_bytes(), tag.as_ref()).is_ok();
    is_right && login.user == USER
}

/// Signs a JSON Web Token with HS256.
fn token(key: &hmac::Key, user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expiry = (now + VALID).as_secs();
    let claims = json!({ "iss": SHOP, "aud": SHOP, "sub": user, "team": TEAM, "exp": expiry });
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn refuse(status: &str, error: &str, message: &str) -> Result<Response, Failure> {
    let answer = json!({ "error": error, "message": message });
    Ok(Response::from_json(&answer)?.with_attribute("http.status", status))
}
