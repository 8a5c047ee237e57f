//! Durations as Go prints them, which is how CoreDNS's log has them.

use std::time::Duration;

/// `1m0s`, `1.5s`, `250ms`, `0s`: as Go's `time.Duration.String` documents it, with leading zero
/// units left out and a unit below seconds for durations below one second.
pub fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, size) = match nanos {
        0 => return "0s".into(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    if unit != "s" {
        return decimal(nanos, size) + unit;
    }
    let (minutes, rest) = (nanos / (60 * size), nanos % (60 * size));
    let seconds = decimal(rest, size) + unit;
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// `nanos` in units of `size`, a power of ten, without trailing zeros.
fn decimal(nanos: u128, size: u128) -> String {
    let whole = nanos / size;
    let rest = nanos % size;
    if rest == 0 {
        return whole.to_string();
    }
    let digits = size.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_as_in_go() {
        for (nanos, shown) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (5_000_000_000, "5s"),
            (60_000_000_000, "1m0s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (3_600_000_000_000, "1h0m0s"),
            (480_000_000_001, "8m0.000000001s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), shown);
        }
    }
}
