//! What code can be given as.

use bytes::Bytes;

/// Code as it can be given: bytes of a module or component, or its text form. Text is never a path.
pub trait IntoCode: sealed::Sealed {
    #[doc(hidden)]
    fn into_code(self) -> Bytes;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! into_code {
    ($($ty:ty: $convert:expr;)*) => {$(
        impl sealed::Sealed for $ty {}

        impl IntoCode for $ty {
            fn into_code(self) -> Bytes {
                $convert(self)
            }
        }
    )*};
}

into_code! {
    Bytes: std::convert::identity;
    Vec<u8>: Bytes::from;
    String: Bytes::from;
    &'static [u8]: Bytes::from_static;
    &str: |text: &str| Bytes::copy_from_slice(text.as_bytes());
}

impl<const N: usize> sealed::Sealed for &'static [u8; N] {}

impl<const N: usize> IntoCode for &'static [u8; N] {
    fn into_code(self) -> Bytes {
        Bytes::from_static(self)
    }
}
