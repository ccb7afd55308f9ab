//! Gives the guest a small stack, so that its first memory is a few pages.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-zstack-size=65536");
}
