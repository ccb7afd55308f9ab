//! Functions over HTTP: the gateway, which mounts in a service of the host's own.

mod answer;
mod answerer;
mod auth;
mod body;
mod cloudevents;
mod cors;
mod endpoint;
mod files;
mod folder;
mod gateway;
mod ids;
pub mod lambda;
mod permit;
mod route;
mod serve;

pub use self::auth::{Ask, Authorizer, Denied, Identity, Jwt, JwtAlgorithm, JwtKey, Verdict, ask};
pub use self::body::Body;
pub use self::cloudevents::CloudEvents;
pub use self::cors::Cors;
pub use self::files::Files;
pub use self::gateway::{Answering, Gateway, GatewayBuilder};
pub use self::route::Route;
pub use self::serve::{ServeOptions, Served};
