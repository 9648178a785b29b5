#!/usr/bin/env bash
# Makes the packages of bin/lvsd: what is generated first, then nfpm, which is the argument.
set -euo pipefail
cd "$(dirname "$0")/.."
ARCH=$("${GO:-go}" env GOARCH)
VERSION=$(bin/lvsd --version 2>&1 | sed -n 's/.*lvsd v\([0-9.]*\).*/\1/p')
export ARCH VERSION
mkdir -p bin/man bin/completion
bin/lvsd man lvsd | gzip -9n >bin/man/lvsd.8.gz
bin/lvsd man keepalived.conf | gzip -9n >bin/man/keepalived.conf.5.gz
for shell in bash zsh fish; do bin/lvsd completion $shell >bin/completion/$shell; done
rm -f bin/*.deb bin/*.rpm
for packager in deb rpm; do $1 package --config dist/nfpm.yaml --packager $packager --target bin; done
