//! What a ClickHouse server's errors mean: whether to try again, or to look at what was sent.

use clickhouse::error::Error;

/// The most of a server's message that is passed on, in bytes.
const MESSAGE_BYTES: usize = 500;

/// Why a statement came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// ClickHouse's code for it; `None` when no server answered.
    pub(crate) code: Option<u32>,
    /// What was said, without the address or anything secret.
    pub(crate) message: String,
}

/// What trouble with an insert says about its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The server or the way to it: the same rows may go in later.
    Server,
    /// Something in the rows: they will never go in as they are.
    Rows,
    /// No telling.
    Unknown,
}

/// Something in the data is wrong: it cannot be read, or does not fit its column.
const OF_ROWS: &[u32] = &[
    6, 9, 20, 25, 26, 27, 32, 33, 34, 38, 41, 53, 69, 70, 72, 117, 128, 131, 190, 321, 349, 351, 376, 433,
    434, 435, 467, 469, 530, 626, 632, 637, 656, 675, 676, 691,
];

/// The server has too much to do, may not write, is being changed or is not the one meant.
const OF_SERVER: &[u32] = &[
    3, 16, 24, 57, 60, 74, 75, 76, 81, 95, 96, 97, 115, 158, 159, 160, 164, 173, 192, 193, 194, 198, 201,
    202, 203, 204, 207, 209, 210, 216, 218, 219, 225, 235, 236, 241, 242, 243, 244, 246, 252, 254, 265, 279,
    285, 286, 288, 289, 291, 319, 341, 342, 364, 373, 381, 388, 394, 396, 415, 416, 425, 439, 473, 492, 497,
    499, 516, 517, 518, 519, 529, 571, 594, 597, 598, 606, 643, 648, 655, 659, 668, 690, 692, 733, 735, 741,
    745, 999,
];

impl Trouble {
    /// What the client's error comes down to.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::BadResponse(text) => Self { code: code(text), message: shortened(text) },
            Error::Network(cause) => Self {
                code: None,
                message: shortened(&format!("the server cannot be reached: {}", chain(&**cause))),
            },
            Error::TimedOut => Self { code: None, message: "the server did not answer in time".to_owned() },
            other => Self { code: None, message: shortened(&other.to_string()) },
        }
    }

    /// No answer within the time a statement may take.
    pub(crate) fn too_slow() -> Self {
        Self::of(&Error::TimedOut)
    }

    /// Whose fault a failed insert is.
    pub(crate) fn blame(&self) -> Blame {
        match self.code {
            None => Blame::Server,
            Some(code) if OF_ROWS.contains(&code) => Blame::Rows,
            Some(code) if OF_SERVER.contains(&code) => Blame::Server,
            Some(_) => Blame::Unknown,
        }
    }
}

/// The number in `Code: 252. DB::Exception: …`.
fn code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// An error with its causes, which is where the reason stands.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn shortened(text: &str) -> String {
    let text = text.trim().split(" (version ").next().unwrap_or_default();
    let end = text.floor_char_boundary(MESSAGE_BYTES);
    text.get(..end).unwrap_or_default().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> Trouble {
        Trouble::of(&Error::BadResponse(text.to_owned()))
    }

    #[test]
    fn the_servers_word_says_whose_fault_it_is() {
        let cases = [
            ("Code: 252. DB::Exception: Too many parts (3000). (TOO_MANY_PARTS)", Blame::Server),
            ("Code: 241. DB::Exception: Memory limit exceeded (MEMORY_LIMIT_EXCEEDED)", Blame::Server),
            ("Code: 164. DB::Exception: readonly mode (READONLY)", Blame::Server),
            ("Code: 469. DB::Exception: Constraint violated (VIOLATED_CONSTRAINT)", Blame::Rows),
            ("Code: 33. DB::Exception: Cannot read all data (CANNOT_READ_ALL_DATA)", Blame::Rows),
            ("Code: 49. DB::Exception: odd (LOGICAL_ERROR)", Blame::Unknown),
            ("<html>502 Bad Gateway</html>", Blame::Server),
        ];
        for (text, blame) in cases {
            assert_eq!(answered(text).blame(), blame, "{text}");
        }
        assert_eq!(Trouble::too_slow().blame(), Blame::Server);
    }

    #[test]
    fn messages_are_short_and_on_one_line() {
        let trouble =
            answered(&format!("Code: 27. DB::Exception: bad\n{} (version 26.9)", "ö".repeat(1_000)));
        assert!(trouble.message.len() <= MESSAGE_BYTES && !trouble.message.contains('\n'));
        assert_eq!(answered("Code: 1. x (version 26.9.2 (official build))").message, "Code: 1. x");
    }
}
