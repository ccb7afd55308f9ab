//! What is taken and what is refused.

mod attacks;
mod claims;
mod jwks;
mod keys;
mod kit;
mod requests;
mod rfc;
mod signatures;
