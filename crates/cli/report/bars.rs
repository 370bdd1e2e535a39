//! How the requests of each environment are shared, as bars or as plain numbers.

use tidegate_core::model::{Routes, Weight};

use super::escape;

const CELLS: usize = 20;
const FEWEST_CELLS: usize = 10;

/// One line for each environment: `production  stable ███████████████░░░░░ canary  75 / 25`.
///
/// `width` is that of the terminal in columns; without one, or where a bar does not fit, the numbers stand
/// alone: `production  stable 75 / canary 25`.
pub(crate) fn render(environments: &[(&str, Routes)], width: Option<usize>) -> String {
    let names: Vec<_> = environments.iter().map(|(name, _)| escape(name)).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let around = name_width + "  stable  canary  100 / 100".len();
    let cells = width
        .and_then(|width| width.checked_sub(around))
        .filter(|cells| *cells >= FEWEST_CELLS);
    let mut lines = String::new();
    for (name, (_, routes)) in names.iter().zip(environments) {
        let split = match (routes.canary(), cells) {
            (None, _) => "one version".to_owned(),
            (Some(canary), Some(cells)) => {
                let (bar, stable) = (bar(canary, cells.min(CELLS)), canary.rest());
                format!("stable {bar} canary  {stable} / {canary}")
            }
            (Some(canary), None) => format!("stable {} / canary {canary}", canary.rest()),
        };
        lines.push_str(&format!("{name:name_width$}  {split}\n"));
    }
    lines
}

/// The stable version's share dark, the canary's light; a share that is not zero is never invisible.
fn bar(canary: Weight, cells: usize) -> String {
    let exact = (usize::from(canary.percent()) * cells + 50) / 100;
    let light = match canary {
        Weight::ZERO => 0,
        Weight::FULL => cells,
        _ => exact.clamp(1, cells - 1),
    };
    "█".repeat(cells - light) + &"░".repeat(light)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(percent: u64) -> Routes {
        Routes::Both(Weight::new(percent).expect("a percentage"))
    }

    #[test]
    fn bars_line_up_and_fit() {
        let environments = [
            ("staging", Routes::CanaryOnly),
            ("production", both(25)),
            ("test", Routes::Plain),
        ];
        let expected = "\
staging     stable ░░░░░░░░░░░░░░░░░░░░ canary  0 / 100
production  stable ███████████████░░░░░ canary  75 / 25
test        one version
";
        assert_eq!(render(&environments, Some(80)), expected);
        let narrow = render(&environments, Some(50));
        assert!(
            narrow.contains('█') && narrow.lines().all(|line| line.chars().count() <= 50),
            "{narrow}"
        );
    }

    #[test]
    fn without_a_terminal_the_numbers_stand_alone() {
        assert_eq!(
            render(&[("production", both(25))], None),
            "production  stable 75 / canary 25\n"
        );
        assert_eq!(
            render(&[("production", both(25))], Some(20)),
            "production  stable 75 / canary 25\n"
        );
    }

    #[test]
    fn the_smallest_share_is_seen() {
        assert_eq!(bar(Weight::new(1).expect("valid"), 10), "█████████░");
        assert_eq!(bar(Weight::new(99).expect("valid"), 10), "█░░░░░░░░░");
        assert_eq!(bar(Weight::ZERO, 10), "██████████");
    }
}
