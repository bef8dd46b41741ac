//! The first fields of state objects that go on differently from bundle to bundle.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

/// The first field of a tuple; the rest may be anything.
pub(super) struct First<T>(pub T);

/// The first `N` fields of a tuple, all of one kind; the rest may be anything.
pub(super) struct Leading<T, const N: usize>(pub [T; N]);

impl<'de, T: DeserializeOwned> serde::Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Leading([first]) = Leading::<T, 1>::deserialize(from)?;
        Ok(Self(first))
    }
}

impl<'de, T: DeserializeOwned, const N: usize> serde::Deserialize<'de> for Leading<T, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T, const N: usize>(PhantomData<T>);

        impl<'de, T: DeserializeOwned, const N: usize> Visitor<'de> for Fields<T, N> {
            type Value = Leading<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a tuple of at least {N} fields")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
                let mut found = Vec::with_capacity(N);
                for index in 0..N {
                    found.push(fields.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?);
                }
                while fields.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Leading(found.try_into().unwrap_or_else(|_| unreachable!("N fields were read"))))
            }
        }
        from.deserialize_seq(Fields(PhantomData))
    }
}
