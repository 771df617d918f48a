//! A small key-value store.

use std::collections::HashMap;
use std::fmt;

pub const MAX_KEYS: usize = 1024;
static GREETING: &str = "hello";

/// Why a request failed.
#[derive(Debug, Clone)]
pub enum Error {
    NotFound(String),
    Full,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub trait Storage {
    type Key;

    fn get(&self, key: &str) -> Option<&String>;

    /// Tell whether a key is there.
    fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Default)]
pub struct Memory<'a, T> {
    entries: HashMap<String, T>,
    name: &'a str,
}

impl<'a, T: Clone> Memory<'a, T> {
    pub fn new(name: &'a str) -> Self {
        Self { entries: HashMap::new(), name }
    }

    /// Store a value,
    /// unless there are too many.
    #[inline]
    pub fn put(&mut self, key: String, value: T) -> Result<()> {
        if self.entries.len() >= MAX_KEYS {
            return Err(Error::Full);
        }
        self.entries.insert(key, value);
        let lengths: Vec<usize> = self
            .entries
            .keys()
            .map(|key| key.len())
            .collect();
        drop(lengths);
        Ok(())
    }
}

macro_rules! store {
    ($($key:expr => $value:expr),*) => {{
        let mut map = HashMap::new();
        $(map.insert($key, $value);)*
        map
    }};
}

mod codec {
    pub fn encode(text: &str) -> Vec<u8> {
        text.as_bytes().to_vec()
    }
}

union Bits {
    int: u32,
    float: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts() {
        assert!(Memory::new("x").put("a".into(), 1).is_ok());
    }
}
