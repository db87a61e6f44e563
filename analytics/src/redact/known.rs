//! What every gateway knows to find, and how: patterns that are checked further where a number can be.

use std::net::Ipv6Addr;
use std::ops::Range;

use regex::Regex;

use super::numbers;

/// What every gateway knows to find; in the order they are looked for, the most particular first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    /// What follows `Bearer`, and JSON web tokens.
    Bearer,
    /// Keys of services, by how they begin, and private keys in PEM.
    ApiKey,
    /// E-mail addresses.
    Email,
    /// Bank account numbers (IBAN) whose check digits are right.
    Iban,
    /// Payment card numbers whose check digit is right.
    Card,
    /// Social security numbers of the United States.
    Ssn,
    /// Internet addresses, both versions.
    Ip,
    /// Phone numbers as people write them: with a plus, or in groups.
    Phone,
}

impl Known {
    /// What stands in the place of what was found.
    const fn mark(self) -> &'static str {
        match self {
            Self::Bearer => "[bearer]",
            Self::ApiKey => "[api_key]",
            Self::Email => "[email]",
            Self::Iban => "[iban]",
            Self::Card => "[card]",
            Self::Ssn => "[ssn]",
            Self::Ip => "[ip]",
            Self::Phone => "[phone]",
        }
    }

    /// Where to look closer. Every repetition ends where its characters do, so that no pattern looks far ahead.
    const fn pattern(self) -> &'static str {
        match self {
            Self::Bearer => {
                r"(?i:bearer)[\s:=]+([A-Za-z0-9._~+/-]{12,}=*)|(?-u:\b)(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"
            }
            Self::ApiKey => concat!(
                r"(?-u:\b)(?:sk-[A-Za-z0-9_-]{16,}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9]{16,}",
                r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}",
                r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}",
                r"|xox[a-z]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}",
                r"|pplx-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}",
                r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{20,}|dop_v1_[0-9a-f]{32,}",
                r"|wt-[A-Za-z0-9]{40})",
                r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s\\,:-]*"
            ),
            Self::Email => {
                r"[\p{L}\p{N}._%+'-]+(?:@|%40|＠)(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}[\p{L}\p{N}-]*[\p{L}\p{N}]"
            }
            Self::Iban => r"(?-u:\b)[A-Za-z]{2}[0-9]{2}(?:[ \u{a0}]?[A-Za-z0-9]){11,30}",
            // Cards are found by walking over digits.
            Self::Card => r"[0-9]{3}",
            Self::Ssn => r"(?-u:\b)[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}(?-u:\b)",
            Self::Ip => {
                r"(?-u:\b)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?-u:\b)|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.[0-9]{1,3}){0,3}"
            }
            Self::Phone => concat!(
                r"\+[0-9](?:[ .\-/()\u{a0}\u{202f}\u{2011}]{0,2}[0-9]){6,14}(?-u:\b)",
                r"|\([0-9]{2,5}\)[ .-]?[0-9]{2,4}(?:[ .-]?[0-9]{2,5}){1,3}(?-u:\b)",
                r"|(?-u:\b)[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}(?-u:\b)",
                r"|(?-u:\b)0[0-9](?:[ .-][0-9]{2}){4}(?-u:\b)",
                r"|(?-u:\b)(?:00[1-9][0-9]{0,2}|0[1-9][0-9]{1,3})[ /-][0-9]{3,8}(?:[ -][0-9]{2,5}){0,3}(?-u:\b)"
            ),
        }
    }

    /// The part of what the pattern matched that is to be replaced.
    fn check(self, text: &str, place: Range<usize>) -> Option<Range<usize>> {
        let found = text.get(place.clone())?;
        let before = text.get(..place.start)?.chars().next_back();
        let after = text.get(place.end..)?.chars().next();
        let kept = match self {
            Self::Email | Self::Card => true,
            Self::Bearer | Self::ApiKey => found.bytes().any(|byte| byte.is_ascii_digit()),
            Self::Iban => return numbers::iban(found, after).map(|length| place.start..place.start + length),
            Self::Ssn => numbers::is_ssn(found),
            Self::Ip => is_address(found, before, text.get(place.end..)?),
            Self::Phone => {
                let digits = found.bytes().filter(u8::is_ascii_digit).count();
                let least = if found.starts_with('+') { 7 } else { 9 };
                (least..=15).contains(&digits)
                    && !before.is_some_and(|c| c.is_alphanumeric() || "+-".contains(c))
            }
        };
        kept.then_some(place)
    }
}

/// Which characters a text has, counted in one pass that compilers make wide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    digits: usize,
    /// `@`, `%`, or the first byte of `＠`.
    ats: usize,
    /// `.` or `:`.
    points: usize,
}

impl Signs {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut signs = Self::default();
        for byte in text {
            signs.digits += usize::from(byte.is_ascii_digit());
            signs.ats += usize::from(matches!(byte, b'@' | b'%' | 0xef));
            signs.points += usize::from(matches!(byte, b'.' | b':'));
        }
        signs
    }
}

/// A known thing, ready to be looked for.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    known: Known,
    pattern: Regex,
}

impl Finder {
    pub(super) fn of(known: Known) -> Self {
        let pattern = Regex::new(known.pattern()).expect("a test compiles every known pattern");
        Self { known, pattern }
    }

    /// Whether a text with these characters may hold one; never wrong when it says no.
    pub(super) const fn may_find(&self, signs: Signs) -> bool {
        match self.known {
            Known::Email => signs.ats > 0 && signs.points > 0,
            Known::Bearer | Known::ApiKey => signs.digits > 0,
            Known::Iban => signs.digits >= 2,
            Known::Card => signs.digits >= numbers::CARD_DIGITS_MIN,
            Known::Ssn => signs.digits >= 9,
            Known::Ip => signs.digits > 0 && signs.points >= 2,
            Known::Phone => signs.digits >= 7,
        }
    }

    /// The text with everything replaced; `None` when it holds none.
    pub(super) fn replaced(&self, text: &str) -> Option<String> {
        let places = self.places(text);
        if places.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for place in places {
            out.push_str(text.get(copied..place.start).unwrap_or_default());
            out.push_str(self.known.mark());
            copied = place.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        if self.known == Known::Card {
            return numbers::cards(text.as_bytes());
        }
        let mut places = Vec::new();
        let mut at = 0;
        while let Some(found) = self.find(text, at) {
            match self.known.check(text, found.clone()) {
                Some(place) => {
                    at = place.end;
                    places.push(place);
                }
                // One that is right may begin inside one that is not.
                None => at = text.ceil_char_boundary(found.start + 1),
            }
        }
        places
    }

    /// The next match: its first group where the pattern has one, else all of it.
    fn find(&self, text: &str, at: usize) -> Option<Range<usize>> {
        if self.known != Known::Bearer {
            return self.pattern.find_at(text, at).map(|found| found.range());
        }
        let found = self.pattern.captures_at(text, at)?;
        found.get(1).or_else(|| found.get(2)).map(|group| group.range())
    }
}

fn is_address(found: &str, before: Option<char>, after: &str) -> bool {
    let mut next = after.chars();
    let (first, second) = (next.next(), next.next());
    let goes_on = first == Some('.') && second.is_some_and(|c| c.is_ascii_digit());
    if found.contains(':') {
        let beside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == ':');
        let digits = found.bytes().any(|byte| byte.is_ascii_digit());
        return digits && !beside(before) && !beside(first) && found.parse::<Ipv6Addr>().is_ok();
    }
    let octets = found.split('.').all(|octet| octet.parse::<u8>().is_ok());
    octets && before != Some('.') && !goes_on
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Known; 8] = [
        Known::Bearer,
        Known::ApiKey,
        Known::Email,
        Known::Iban,
        Known::Card,
        Known::Ssn,
        Known::Ip,
        Known::Phone,
    ];

    #[test]
    fn every_known_pattern_compiles() {
        for known in ALL {
            assert!(Regex::new(known.pattern()).is_ok(), "{known:?}");
        }
    }

    fn of(known: Known, text: &str) -> String {
        Finder::of(known).replaced(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn what_is_there_is_found_and_nothing_beside_it() {
        for (known, text, wanted) in [
            (Known::Email, "Mail joe.o'hara+x@mail.example.co.uk.", "Mail [email]."),
            (Known::Email, "müller@bücher.example, a@b.io", "[email], [email]"),
            (Known::Email, "?to=joe%40example.com&x", "?to=[email]&x"),
            (Known::Email, "joe＠example.com", "[email]"),
            (Known::Email, "<joe@xn--bcher-kva.example>", "<[email]>"),
            (Known::Card, "4111 1111 1111 1111 12/27", "[card] 12/27"),
            (Known::Card, "Visa4111111111111111, 3782-822463-10005", "Visa[card], [card]"),
            (Known::Card, "ref 12345 4111-1111-1111-1111", "ref 12345 [card]"),
            (Known::Card, "4111\u{a0}1111\u{a0}1111\u{a0}1111", "[card]"),
            (Known::Phone, "call +1 (555) 010-9999 now", "call [phone] now"),
            (Known::Phone, "tel:+4915112345678", "tel:[phone]"),
            (Known::Phone, "(030) 901820, 030 901820-17", "[phone], [phone]"),
            (Known::Phone, "06 12 34 56 78 / 555-867-5309", "[phone] / [phone]"),
            (Known::Iban, "DE89 3704 0044 0532 0130 00 OK", "[iban] OK"),
            (Known::Iban, "AB12 GB82WEST12345698765432.", "AB12 [iban]."),
            (Known::Iban, "de89370400440532013000", "[iban]"),
            (Known::Ssn, "SSN 219-09-9999.", "SSN [ssn]."),
            (Known::Ip, "from 10.0.0.254:8080", "from [ip]:8080"),
            (Known::Ip, "[2001:db8::1]/64 ::ffff:10.1.2.3", "[[ip]]/64 [ip]"),
            (Known::ApiKey, "key=sk-proj-abcDEF1234567890_x", "key=[api_key]"),
            (Known::ApiKey, "AKIAIOSFODNN7EXAMPLE ghp_abcdefghij0123456789AB", "[api_key] [api_key]"),
            (
                Known::ApiKey,
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE0\n-----END RSA PRIVATE KEY-----",
                "[api_key]",
            ),
            (Known::Bearer, "Authorization: bearer abcdef0123456789==", "Authorization: bearer [bearer]"),
            (Known::Bearer, "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "t=[bearer]"),
        ] {
            assert_eq!(of(known, text), wanted, "{known:?}: {text}");
        }
    }

    #[test]
    fn what_only_looks_alike_stays() {
        for (known, text) in [
            (Known::Email, "a @ b, user@localhost, 5% @home."),
            (Known::Card, "4111 1111 1111 1112, 1700000000000000, 12345678901234567890"),
            (Known::Card, "4111,1111,1111,1111"),
            (Known::Phone, "2024-11-21 05:05, 01-02-2024 12:00, v1.22.333, C++11 2345678"),
            (Known::Phone, "1234567890 and 3.14159265358979"),
            (Known::Iban, "DE89 3704 0044 0532 0130 01 and AB12CDEF"),
            (Known::Ssn, "000-12-3456 666-12-3456 912-12-3456 123-45-67890"),
            (Known::Ip, "1.3.6.1.4.1, 256.1.1.1, 12:30:45, 00:1A:2B:3C:4D:5E, std::vec, a::b"),
            (Known::ApiKey, "task-management-for-all, sk-learn-compatible-pipelines"),
            (Known::Bearer, "the bearer responsibilities of office"),
        ] {
            assert_eq!(of(known, text), text, "{known:?}");
        }
    }
}
