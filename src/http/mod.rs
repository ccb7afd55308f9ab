//! Functions over HTTP: the gateway, which mounts in a service of the host's own.

mod auth;

pub use self::auth::{Ask, Authorizer, Denied, Identity, Jwt, JwtAlgorithm, JwtKey, Verdict, ask};
