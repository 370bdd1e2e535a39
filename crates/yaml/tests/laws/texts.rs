//! The bodies of the fuzz targets over generated and mangled texts, for those who have no fuzzer.

use proptest::prelude::*;

use crate::{
    bodies,
    generate::{self, Anchors, Choices},
};

/// Pieces of YAML that mean something.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    "- ",
    "-",
    "? ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "#",
    " #",
    "&x ",
    "*x",
    "!!str ",
    "!",
    "|",
    ">-",
    "|+\n",
    "|2",
    "'",
    "\"",
    "\\",
    "%",
    "---\n",
    "--- ",
    "...\n",
    "<<: *x",
    "a",
    "é",
    "😀",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "0x",
    "1_0",
    ".inf",
    "~",
    "{{ x }}",
    "%YAML 1.2\n",
    "!<",
    "``",
    "@",
    "&x",
    "- - ",
    "''",
    "\u{0}",
    "=",
];

fn pieces() -> impl Strategy<Value = Vec<(u16, u8, bool)>> {
    proptest::collection::vec(any::<(u16, u8, bool)>(), 0..12)
}

fn mangle(text: &str, changes: &[(u16, u8, bool)]) -> String {
    let mut text = text.to_owned();
    for &(at, piece, replace) in changes {
        let mut at = usize::from(at) % (text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let end = text[at..]
            .chars()
            .next()
            .map_or(at, |c| if replace { at + c.len_utf8() } else { at });
        text.replace_range(at..end, PIECES[usize::from(piece) % PIECES.len()]);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mangled_texts_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120), changes in pieces()) {
        let text = generate::document(&mut Choices::new(&bytes), Anchors::Some);
        bodies::read(mangle(&text, &changes).as_bytes());
    }

    #[test]
    fn texts_of_pieces_are_read_or_refused(changes in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = changes.iter().map(|&piece| PIECES[piece]).collect();
        bodies::read(text.as_bytes());
    }

    #[test]
    fn edits_of_mangled_texts_are_made_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        changes in pieces(),
        choices in any::<[u8; 6]>(),
    ) {
        let text = generate::document(&mut Choices::new(&bytes), Anchors::Some);
        let mut data = choices.to_vec();
        data.extend(mangle(&text, &changes).as_bytes());
        bodies::edit(&data);
    }

    #[test]
    fn edits_of_texts_of_pieces_are_made_or_refused(
        changes in proptest::collection::vec(0..PIECES.len(), 0..30),
        choices in any::<[u8; 6]>(),
    ) {
        let mut data = choices.to_vec();
        data.extend(changes.iter().flat_map(|&piece| PIECES[piece].bytes()));
        bodies::edit(&data);
    }
}

#[test]
fn the_seeds_pass() {
    let seeds = [
        include_str!("../../fuzz/seeds/anchors.yaml"),
        include_str!("../../fuzz/seeds/comments.yaml"),
        include_str!("../../fuzz/seeds/json.yaml"),
        include_str!("../../fuzz/seeds/root-block.yaml"),
        include_str!("../../fuzz/seeds/stream.yaml"),
        include_str!("../../fuzz/seeds/tabs.yaml"),
    ];
    for seed in seeds {
        bodies::read(seed.as_bytes());
        for choice in 0..=255_u8 {
            let mut data = vec![choice, choice, choice / 3, choice / 5, choice / 7, choice];
            data.extend(seed.as_bytes());
            bodies::edit(&data);
        }
    }
}
