#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_yaml_fuzz::read(data));
