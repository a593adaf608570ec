//! An amount as exact decimal text: the twin of `enrich.currency.quantize`, where nothing is to be rounded.

/// The amount with exactly so many decimals; None where it has more, or is negative zero.
pub fn exact(amount: f64, decimals: usize) -> Option<String> {
    if amount == 0.0 && amount.is_sign_negative() {
        return None;
    }
    // The shortest digits that read back as the same double, never with an exponent.
    let mut text = amount.to_string();
    let fraction = text.find('.').map_or(0, |point| text.len() - point - 1);
    if fraction > decimals {
        return None;
    }
    if fraction == 0 && decimals > 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', decimals - fraction));
    Some(text)
}
