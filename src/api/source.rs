//! Where a client comes from.

use std::net::IpAddr;

/// An IPv4 client of an IPv6 socket is an IPv4 client.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 => v4,
    }
}

/// What counts as one client: the address itself, or the /64 it is in. One who has a network of IPv6 has as many addresses as he likes.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_one_client_can_have_are_one() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(plain(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(plain(address("2001:db8::1")), address("2001:db8::1"));
        assert_eq!(network(address("2001:db8:1:2:3::4")), address("2001:db8:1:2::"));
        assert_eq!(network(address("192.0.2.1")), address("192.0.2.1"));
    }
}
