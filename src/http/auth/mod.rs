//! Who may pass: an authorizer lets a request in as somebody, or denies it.
//!
//! It sees the head of a request and never the body. What it allows travels on as the tenant and as the attributes
//! `auth.NAME` of the context; nothing that a client sends can set those. An authorizer that fails denies.

mod denied;
mod identity;
mod jwt;

use std::pin::Pin;

use http::request::Parts;

pub use self::denied::Denied;
pub use self::identity::Identity;
pub use self::jwt::{Jwt, JwtAlgorithm, JwtKey};
use crate::error::Error;

/// What an authorizer answers, later.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>>;

/// Decides who may pass.
///
/// A closure is one; [`Jwt`](crate::http::Jwt) and [`ask`](crate::http::ask) are ready-made ones.
///
/// ```
/// use fnhost::http::{Authorizer, Denied, Identity};
///
/// fn is_authorizer(_: impl Authorizer) {}
///
/// is_authorizer(|request: &http::request::Parts| match request.headers.get("x-team") {
///     Some(team) if team == "blue" => Ok(Identity::new().with_tenant("blue")),
///     _ => Err(Denied::forbidden("only the blue team may")),
/// });
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Lets the request in as somebody, or denies it.
    fn authorize<'a>(&'a self, request: &'a Parts) -> Verdict<'a>;

    /// Reports a setting that cannot work; a gateway asks once, when it is built.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` with the setting, its value, and what to do. None by default.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl<F> Authorizer for F
where
    F: Fn(&Parts) -> Result<Identity, Denied> + Send + Sync + 'static,
{
    fn authorize<'a>(&'a self, request: &'a Parts) -> Verdict<'a> {
        Box::pin(std::future::ready(self(request)))
    }
}
