//! Sums of Kubernetes quantities such as `250m` and `64Mi` (apimachinery `resource.Quantity`).

use serde_json::Value;

/// An amount, in billionths of its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity {
    nano: i128,
}

impl Quantity {
    /// Reads a string or a number; `None` for anything else. More than a billionth is cut off.
    pub(super) fn of(value: &Value) -> Option<Quantity> {
        match value {
            Value::String(text) => Quantity::parse(text),
            Value::Number(number) => Quantity::parse(&number.to_string()),
            _ => None,
        }
    }

    /// The sum; what is too large stays the largest.
    pub(super) fn plus(self, other: Quantity) -> Quantity {
        Quantity { nano: self.nano.saturating_add(other.nano) }
    }

    /// The difference, which may be below zero.
    pub(super) fn minus(self, other: Quantity) -> Quantity {
        Quantity { nano: self.nano.saturating_sub(other.nano) }
    }

    /// How many times the other amount this one is.
    pub(super) fn ratio_to(self, other: Quantity) -> f64 {
        self.nano as f64 / other.nano as f64
    }

    /// The amount in its unit, as near as a float comes.
    pub(super) fn to_number(self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// The canonical form of an amount of the resource `name`: CPUs in thousands, memory and storage in powers of 1024 where it
    /// comes out even.
    pub(super) fn to_string_of(self, name: &str) -> String {
        if name == "cpu" {
            // A part of a millicore counts as one.
            let milli = -(-self.nano).div_euclid(NANO / 1000);
            return if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") };
        }
        let whole = -(-self.nano).div_euclid(NANO);
        let even = BINARY.iter().rev().find(|(_, shift)| whole != 0 && whole % (1 << shift) == 0);
        even.map_or_else(|| whole.to_string(), |(suffix, shift)| format!("{}{suffix}", whole >> shift))
    }

    /// The form that an API server gives to an amount (apimachinery `Quantity.CanonicalizeBytes`): no fraction, the largest suffix of the
    /// family it was written in.
    pub(super) fn canonical(value: &Value) -> Option<String> {
        let amount = Quantity::of(value)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_binary = text.ends_with('i');
        let is_exponent =
            !is_binary && text.trim_end_matches(|c: char| c.is_ascii_digit() || "+-".contains(c)).ends_with(['e', 'E']);
        // What is below one has no binary suffix.
        if is_binary && amount.nano.unsigned_abs() >= NANO.unsigned_abs() && amount.nano % NANO == 0 {
            let whole = amount.nano / NANO;
            let even = BINARY.iter().rev().find(|(_, shift)| whole % (1 << shift) == 0);
            return Some(
                even.map_or_else(|| whole.to_string(), |(suffix, shift)| format!("{}{suffix}", whole >> shift)),
            );
        }
        if amount.nano == 0 {
            return Some("0".into());
        }
        let fits = |power: i32| amount.nano % 10_i128.pow(u32::try_from(power + 9).unwrap_or_default()) == 0;
        let (suffix, power) = DECIMAL.iter().rev().find(|(_, power)| fits(*power))?;
        let number = amount.nano / 10_i128.pow(u32::try_from(power + 9).ok()?);
        Some(match (is_exponent, *power) {
            (true, 0) | (false, _) => format!("{number}{suffix}"),
            (true, power) => format!("{number}e{power}"),
        })
    }

    /// A canonical amount as Go shows the structure that holds it.
    pub(super) fn shown_by_go(value: &Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let power = DECIMAL.iter().find(|(name, _)| *name == suffix).map(|(_, power)| *power);
        let exponent = suffix.strip_prefix('e').and_then(|digits| digits.parse().ok());
        let (number, scale, format) = match (power, exponent) {
            (Some(power), _) => (number.to_owned(), power, "DecimalSI"),
            (None, Some(exponent)) => (number.to_owned(), exponent, "DecimalExponent"),
            (None, None) => {
                let whole = Quantity::of(value).map_or(0, |amount| amount.nano / NANO);
                (whole.to_string(), 0, "BinarySI")
            }
        };
        format!(
            "resource.Quantity{{i:resource.int64Amount{{value:{number}, scale:{scale}}}, d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, \
             s:\"{text}\", Format:\"{format}\"}}"
        )
    }

    fn parse(text: &str) -> Option<Quantity> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        // "1e3" and "1E3" are exponents, "1E" is a suffix.
        let exponent = suffix.strip_prefix(['e', 'E']).and_then(|digits| digits.parse::<i32>().ok());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let negative = whole.starts_with('-');
        let mut nano: i128 = 0;
        let digits = whole.trim_start_matches(['+', '-']).bytes().chain(fraction.bytes().chain(*b"000000000").take(9));
        let mut seen = false;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            seen = true;
            nano = nano.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
        }
        if !seen || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let nano = match (exponent, BINARY.iter().find(|(name, _)| *name == suffix)) {
            (Some(exponent), _) => scale(nano, exponent),
            (None, Some((_, shift))) => nano.saturating_mul(1 << shift),
            (None, None) => {
                let (_, power) = DECIMAL.iter().find(|(name, _)| *name == suffix)?;
                scale(nano, *power)
            }
        };
        Some(Quantity { nano: if negative { -nano } else { nano } })
    }
}

fn scale(nano: i128, power: i32) -> i128 {
    let factor = 10_i128.saturating_pow(power.unsigned_abs());
    if power < 0 { nano / factor } else { nano.saturating_mul(factor) }
}

const NANO: i128 = 1_000_000_000;
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn canonical(text: &str, name: &str) -> Option<String> {
        Quantity::of(&json!(text)).map(|quantity| quantity.to_string_of(name))
    }

    #[test]
    fn the_forms_of_the_documentation_are_read() {
        // "128974848, 129e6, 129M, 123Mi" are about the same amount in the Kubernetes documentation.
        assert_eq!(canonical("128974848", "memory").unwrap(), "123Mi");
        assert_eq!(canonical("129e6", "memory").unwrap(), "129000000");
        assert_eq!(canonical("129M", "memory").unwrap(), "129000000");
        assert_eq!(canonical("123Mi", "memory").unwrap(), "123Mi");
        assert_eq!(canonical("1.5Gi", "memory").unwrap(), "1536Mi");
        assert_eq!(canonical("0.5", "cpu").unwrap(), "500m");
        assert_eq!(canonical("2000m", "cpu").unwrap(), "2");
        assert_eq!(canonical("100n", "cpu").unwrap(), "1m");
        assert_eq!(canonical("0", "memory").unwrap(), "0");
        assert_eq!(Quantity::of(&json!(2)), Quantity::of(&json!("2")));
    }

    #[test]
    fn others_are_none() {
        for text in ["", ".", "x", "1 Gi", "5x", "1.2.3"] {
            assert_eq!(canonical(text, "cpu"), None, "{text}");
        }
        assert_eq!(Quantity::of(&json!({})), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-+0-9.eEKMGi]{0,30}") {
            if let Some(quantity) = Quantity::of(&json!(text)) {
                quantity.plus(quantity).to_string_of("memory");
            }
        }

        #[test]
        fn millis_add_up(a in 0..1_000_000_u32, b in 0..1_000_000_u32) {
            let quantity = |milli: u32| Quantity::of(&json!(format!("{milli}m"))).unwrap();
            prop_assert_eq!(quantity(a).plus(quantity(b)), quantity(a + b));
        }
    }
}
