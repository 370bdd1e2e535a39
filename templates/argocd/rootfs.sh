#!/bin/sh
# Builds the root filesystem of the plugin's image: `sh templates/argocd/rootfs.sh amd64|arm64 FOLDER`, from any folder.
# Needs Rust, and for another architecture than this machine's nothing more: the linker is Rust's own.
set -eu

case "$1" in
    amd64) target=x86_64-unknown-linux-musl ;;
    arm64) target=aarch64-unknown-linux-musl ;;
    *) echo "rootfs.sh: amd64 or arm64, not $1" >&2 && exit 1 ;;
esac
mkdir -p "$2"
root="$(cd "$2" && pwd)"
cd "$(dirname "$0")/../.."

rustup target list --installed | grep -qx "$target" || rustup target add "$target"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
# With cargo-auditable the binary lists what it was built from: `cargo audit bin`, trivy and syft read it.
build="build"
if cargo auditable --version >/dev/null 2>&1; then
    build="auditable build"
fi
# shellcheck disable=SC2086
cargo $build --release --locked --target "$target" --bin tidegate

install -D -m 755 "${CARGO_TARGET_DIR:-target}/$target/release/tidegate" "$root/usr/local/bin/tidegate"
install -D -m 644 templates/argocd/plugin.yaml "$root/home/argocd/cmp-server/config/plugin.yaml"
