//! Kubernetes quantities such as `500m`, `2` and `4Gi` (apimachinery `resource.Quantity`).

/// Whether `text` is a quantity that is not negative.
pub(super) fn is_quantity(text: &str) -> bool {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent =
        suffix.strip_prefix(['e', 'E']).map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits > 0
        && number.matches('.').count() <= 1
        && (SUFFIXES.contains(&suffix)
            || exponent.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())))
}

const SUFFIXES: [&str; 16] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_quantities_from_others() {
        for text in ["0", "1", "500m", "1.5", ".5", "2.", "4Gi", "128974848", "129e6", "129M", "1E", "1e-3", "100k"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", ".", "-1", "4 Gi", "4GB", "Gi", "1.2.3", "5x", "1e", "1e+", "0x10", "4gi", "½"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
