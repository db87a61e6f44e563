//! Which addresses may be sent to: those of the public internet, judged after names are resolved.
//!
//! A webhook's address is written by somebody who may not be the operator. Were every address allowed, it could make
//! the gateway ask the cloud's metadata service or a database beside it. What is judged here is what is connected to:
//! a name that answers differently the next time gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks that are not the public internet (IANA's registries of special-purpose addresses, read 2026-08), and
/// the address at which Azure's machines find their own host.
const SPECIAL4: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The same within `2000::/3`; everything outside of that is not the public internet.
const SPECIAL6: [([u16; 2], u32); 3] = [
    // Teredo, benchmarking, ORCHID and other protocols' own.
    ([0x2001, 0x0000], 23),
    ([0x2001, 0x0db8], 32),
    ([0x3fff, 0x0000], 20),
];

/// Whether an address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public4(address),
        IpAddr::V6(address) => is_public6(address),
    }
}

fn is_public4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    !SPECIAL4.iter().any(|(block, bits)| (number ^ u32::from_be_bytes(*block)) >> (32 - bits) == 0)
}

fn is_public6(address: Ipv6Addr) -> bool {
    if let Some(inner) = carried(address) {
        return is_public4(inner);
    }
    let [first, second, ..] = address.segments();
    let start = (u32::from(first) << 16) | u32::from(second);
    let special = SPECIAL6.iter().any(|([first, second], bits)| {
        (start ^ ((u32::from(*first) << 16) | u32::from(*second))) >> (32 - bits) == 0
    });
    first & 0xe000 == 0x2000 && !special
}

/// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:0:0/96`), behind NAT64 (`64:ff9b::/96`) or
/// 6to4 (`2002::/16`).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(inner(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "
        1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 128.0.0.0 172.15.255.255 172.32.0.0
        192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255
        2606:4700::1111 2a00:1450:4001::200e 2001:4860:4860::8888 2001:200::1
        ::ffff:1.1.1.1 64:ff9b::101:101 2002:101:101::1";

    /// This network, private, shared (CGNAT, where Alibaba keeps its metadata), loopback; link-local, where most
    /// clouds keep theirs, and Azure's host; protocols' own, documentation, benchmarking, multicast, reserved.
    const SPECIAL: &str = "
        0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254
        169.254.169.254 169.254.0.1 168.63.129.16 172.16.0.1 172.31.255.255 192.168.1.1
        192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9
        224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255";

    /// The same in IPv6, AWS's metadata among them, and IPv4 in other clothes.
    const SPECIAL_6: &str = "
        :: ::1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 100::1 2001:db8::1 2001::1 2001:10::1 3fff::1
        4000::1 5f00::1
        ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
        64:ff9b:1::1 2002:7f00:1::1 2002:a00:1:: 2002:a9fe:a9fe::1";

    #[test]
    fn addresses_of_the_public_internet_are_told_from_all_others() {
        for public in PUBLIC.split_whitespace() {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in SPECIAL.split_whitespace().chain(SPECIAL_6.split_whitespace()) {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
