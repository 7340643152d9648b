//! The head of a response.

/// Status and headers of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names and values, in order, as they were sent.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| header.1.as_str())
    }

    /// Reads a head with the empty line after it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        head.parse(bytes).ok().filter(|parsed| parsed.is_complete() && head.version == Some(1))?;
        let headers = head.headers.iter().map(|header| {
            let value = std::str::from_utf8(header.value).ok()?;
            Some((header.name.to_owned(), value.to_owned()))
        });
        Some(Self { status: head.code?, headers: headers.collect::<Option<_>>()? })
    }
}

/// More than any server here sends.
const MAX_HEADERS: usize = 64;
